"""Deployments as GitHub shows them, beside a commit and on the repository's page of environments.

Source: GitHub docs, "REST API endpoints for deployments", and "... for deployment statuses".
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.domain.errors import TransientError
from bot.forges.github.auth import SHOW_DEPLOYMENTS
from bot.forges.github.client import PER_PAGE, Answer, Client
from bot.forges.github.errors import Refused
from bot.forges.github.fields import integer, mapping, mappings, text
from bot.ports.forge import DeploymentState, ForgeDeployment

LONGEST_DESCRIPTION = 140
_REMEMBERED = 5_000
_STATES = {
    DeploymentState.PENDING: "pending",
    DeploymentState.IN_PROGRESS: "in_progress",
    DeploymentState.LIVE: "success",
    DeploymentState.FAILED: "failure",
    DeploymentState.INACTIVE: "inactive",
}
_PROGRESS = (DeploymentState.PENDING, DeploymentState.IN_PROGRESS)

log = structlog.get_logger()

_Place = tuple[str, str]
_Status = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Deployment:
    """A deployment as it is known to be shown; `status` is None when that is not known, empty when there is none."""

    id: str
    sha: str
    environment: str
    status: _Status | None


class Deployments:
    """A deployment on GitHub is of one commit for ever: when ours moves to another, another takes its place."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: OrderedDict[_Place, _Deployment] = OrderedDict()

    def put(self, full_name: str, deployment: ForgeDeployment, *, known_id: str | None) -> str:
        """Gives its id; "" when there is none, because it was given up before it was shown, or because little quota is
        left and it is only on its way."""
        if deployment.state in _PROGRESS and self._client.has_little_quota(full_name):
            return known_id or ""
        shown = self._find(full_name, deployment)
        if shown is None and deployment.state is not DeploymentState.INACTIVE:
            shown = self._create(full_name, deployment)
        shown_id = shown.id if shown is not None else ""
        if known_id and known_id != shown_id:
            self._retire(full_name, known_id, deployment)
        if shown is not None:
            self._say(full_name, deployment, shown)
        return shown_id or known_id or ""

    def _find(self, full_name: str, deployment: ForgeDeployment) -> _Deployment | None:
        known = self._known.get((full_name, deployment.key))
        if known is not None and known.sha == deployment.sha:
            return known
        query = {"sha": deployment.sha, "environment": deployment.environment, "per_page": PER_PAGE}
        answer = self._ask(full_name, "GET", f"/repos/{full_name}/deployments", parameters=query)
        ours = [item for item in _items(answer.data) if _key_in(item) == deployment.key]
        found = min((integer(item, "id") for item in ours), default=0)
        return _Deployment(str(found), deployment.sha, deployment.environment, None) if found else None

    def _create(self, full_name: str, deployment: ForgeDeployment) -> _Deployment:
        body = {
            "ref": deployment.sha,  # a tag may be moved
            "environment": deployment.environment,
            "description": _short(deployment.description),
            "payload": {"key": deployment.key, "version": deployment.ref},
            "auto_merge": False,
            "required_contexts": [],  # whether it may be deployed is decided by gates and approvals
            "transient_environment": False,
            "production_environment": deployment.is_production,
        }
        answer = self._ask(full_name, "POST", f"/repos/{full_name}/deployments", body=body)
        made = integer(answer.data, "id") if isinstance(answer.data, dict) else 0
        if not made:
            raise TransientError("GitHub gave no id for a deployment.")
        created = _Deployment(str(made), deployment.sha, deployment.environment, {})
        self._remember((full_name, deployment.key), created)
        return created

    def _say(self, full_name: str, deployment: ForgeDeployment, shown: _Deployment) -> None:
        status = _status(deployment)
        newest = shown.status if shown.status is not None else self._newest(full_name, shown.id)
        place = full_name, deployment.key
        if not _says(newest, status):
            with self._lock:
                self._known.pop(place, None)  # until it is known to be there
            self._tell(full_name, shown.id, status)
            if deployment.state is DeploymentState.LIVE and not deployment.is_production:
                self._others_were_told(full_name, shown)
        self._remember(place, replace(shown, status=status))

    def _retire(self, full_name: str, deployment_id: str, deployment: ForgeDeployment) -> None:
        """Of a commit that was to be deployed before, or one that was given up."""
        if not (deployment_id.isascii() and deployment_id.isdigit()):
            return
        status = _status(replace(deployment, state=DeploymentState.INACTIVE, address=""))
        try:
            if not _says(self._newest(full_name, deployment_id), status):
                self._tell(full_name, deployment_id, status)
        except Refused as error:
            if error.status != 404:
                raise
            log.info("deployment_gone", repository=full_name, deployment=deployment_id)

    def _newest(self, full_name: str, deployment_id: str) -> _Status:
        path = f"/repos/{full_name}/deployments/{deployment_id}/statuses"
        answer = self._ask(full_name, "GET", path, parameters={"per_page": PER_PAGE})
        newest = max(_items(answer.data), key=lambda item: integer(item, "id"), default=None)
        names = ("state", "description", "log_url", "environment_url")
        return {name: text(newest, name) for name in names} if newest is not None else {}

    def _tell(self, full_name: str, deployment_id: str, status: _Status) -> None:
        path = f"/repos/{full_name}/deployments/{deployment_id}/statuses"
        given = {name: value for name, value in status.items() if value}
        # what was live in this environment becomes inactive; GitHub leaves out those of production, which are told
        self._ask(full_name, "POST", path, body={**given, "auto_inactive": status["state"] == "success"})

    def _others_were_told(self, full_name: str, live: _Deployment) -> None:
        with self._lock:
            for place, known in self._known.items():
                if place[0] == full_name and known.environment == live.environment and known.id != live.id:
                    self._known[place] = replace(known, status=None)

    def _ask(self, full_name: str, verb: str, path: str, **more: Any) -> Answer:
        return self._client.ask(full_name, "deployment", verb, path, permissions=SHOW_DEPLOYMENTS, **more)

    def _remember(self, place: _Place, shown: _Deployment) -> None:
        with self._lock:
            self._known[place] = shown
            self._known.move_to_end(place)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


def _status(deployment: ForgeDeployment) -> _Status:
    is_live = deployment.state is DeploymentState.LIVE
    return {
        "state": _STATES[deployment.state],
        "description": _short(deployment.description),
        "log_url": _link(deployment.page),
        "environment_url": _link(deployment.address) if is_live else "",
    }


def _says(newest: _Status, status: _Status) -> bool:
    """Whether there is nothing to add. What GitHub itself made inactive need not be told again in our words."""
    return newest == status or newest.get("state") == status["state"] == _STATES[DeploymentState.INACTIVE]


def _short(words: str) -> str:
    return words if len(words) <= LONGEST_DESCRIPTION else words[: LONGEST_DESCRIPTION - 1] + "…"


def _link(address: str) -> str:
    return address if address.startswith(("https://", "http://")) else ""


def _key_in(item: Mapping[str, Any]) -> str:
    """A payload is given back as it was sent, by old servers as JSON text."""
    payload = item.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            return ""
    return text(mapping({"payload": payload}, "payload"), "key")


def _items(data: object) -> list[Mapping[str, Any]]:
    return mappings({"all": data}, "all")
