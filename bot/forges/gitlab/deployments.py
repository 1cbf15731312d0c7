"""Deployments as GitLab shows them, on the project's page of environments and on merge requests.

Source: GitLab docs, "Deployments API", "Environments API"; GitLab makes an environment with its first deployment.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot.domain.errors import TransientError
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.errors import Refused
from bot.forges.gitlab.fields import integer, mapping, text
from bot.ports.forge import DeploymentState, ForgeDeployment

LONGEST_ADDRESS = 255
LOOKED_AT = 20  # the newest deployments of an environment, among which one of ours may be
REMEMBERED = 2000
# GitLab takes no other; one that waits is shown from when it starts
_STATES = {
    DeploymentState.IN_PROGRESS: "running",
    DeploymentState.LIVE: "success",
    DeploymentState.FAILED: "failed",
    DeploymentState.INACTIVE: "canceled",
}
_UNFINISHED = ("created", "running", "blocked")

log = structlog.get_logger()

_Place = tuple[str, str]  # the project's path, our key


@dataclass(frozen=True, slots=True)
class _Deployment:
    """A deployment as it is known to be shown. `address` is its environment's, which all deployments there share."""

    id: int
    sha: str
    ref: str
    status: str
    environment_id: int
    address: str


class Deployments:
    """GitLab shows the newest successful deployment of an environment as the one that is live: those before it need not
    be told that they are not any more, and would be shown as canceled."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: OrderedDict[_Place, _Deployment] = OrderedDict()

    def put(self, path: str, deployment: ForgeDeployment, *, known_id: str | None) -> str:
        """Gives its id; "" when there is none: it still waits, or was given up before it was shown, or little quota is
        left and it is only on its way."""
        wanted = _STATES.get(deployment.state, "")
        if not wanted or (wanted == "running" and self._client.has_little_quota):
            return known_id or ""
        shown = self._shown(path, deployment, known_id)
        if shown is None and deployment.state is not DeploymentState.INACTIVE:
            shown = self._found(path, deployment, wanted) or self._create(path, deployment, wanted)
        if shown is None:
            return ""
        if deployment.state is DeploymentState.LIVE:
            shown = self._link(path, deployment, shown)
        if shown.status != wanted and (wanted != "canceled" or shown.status in _UNFINISHED):
            shown = self._move(path, shown, wanted)
        self._remember((path, deployment.key), shown)
        return str(shown.id)

    def _shown(self, path: str, deployment: ForgeDeployment, known_id: str | None) -> _Deployment | None:
        """The one that was shown before, unless it is gone, or of another commit."""
        shown = self._known.get((path, deployment.key))
        if shown is None and known_id and known_id.isascii() and known_id.isdigit():
            shown = self._asked(path, int(known_id))
        if shown is None or deployment.state is DeploymentState.INACTIVE or shown.sha == deployment.sha:
            return shown
        if shown.status in _UNFINISHED:
            self._move(path, shown, "canceled")
        return None

    def _asked(self, path: str, deployment_id: int) -> _Deployment | None:
        try:
            return _read(self._call(lambda project: project.deployments.get(deployment_id).attributes, path))
        except Refused as refused:
            if refused.status != 404:
                raise
            log.info("deployment_gone", project=path, deployment=deployment_id)
            return None

    def _found(self, path: str, deployment: ForgeDeployment, wanted: str) -> _Deployment | None:
        """One whose creation was not answered. GitLab keeps nothing of ours that tells it, so: of this commit and ref,
        made through the API, and not known as another; unfinished, or the environment's newest and as wanted."""
        query = {"environment": deployment.environment, "order_by": "id", "sort": "desc", "per_page": LOOKED_AT}
        listed = self._call(
            lambda project: [one.attributes for one in project.deployments.list(get_all=False, **query)], path
        )
        with self._lock:
            others = {known.id for place, known in self._known.items() if place != (path, deployment.key)}
        for position, fields in enumerate(listed):
            one = _read(fields)
            if one is None or one.id in others or fields.get("deployable") is not None:
                continue
            is_current = one.status in _UNFINISHED or (position == 0 and one.status == wanted)
            if is_current and (one.sha, one.ref) == (deployment.sha, deployment.ref or deployment.sha):
                return one
        return None

    def _create(self, path: str, deployment: ForgeDeployment, wanted: str) -> _Deployment:
        fields = {
            "environment": deployment.environment,
            "sha": deployment.sha,
            "ref": deployment.ref or deployment.sha,
            "tag": bool(deployment.ref),
            "status": wanted,
        }
        made = _read(self._call(lambda project: project.deployments.create(fields).attributes, path))
        if made is None:
            raise TransientError("GitLab gave no id for a deployment.")
        return made

    def _move(self, path: str, shown: _Deployment, wanted: str) -> _Deployment:
        try:
            self._call(lambda project: project.deployments.update(shown.id, {"status": wanted}), path)
        except Refused as refused:
            if refused.status != 400 or "cannot transition" not in refused.reason.lower():
                raise
            log.info("deployment_status_not_taken", project=path, deployment=shown.id, reason=refused.reason)
        return replace(shown, status=wanted)

    def _link(self, path: str, deployment: ForgeDeployment, shown: _Deployment) -> _Deployment:
        """Lead from the environment to where the model answers. A link is not worth a failure."""
        address = deployment.address
        is_link = address.startswith(("https://", "http://")) and len(address) <= LONGEST_ADDRESS
        if not is_link or not shown.environment_id or address == shown.address:
            return shown
        fields = {"external_url": address, **({"tier": "production"} if deployment.is_production else {})}
        try:
            self._call(lambda project: project.environments.update(shown.environment_id, fields), path)
        except Refused as refused:
            log.warning(
                "environment_not_linked", project=path, environment=deployment.environment, reason=refused.reason
            )
        return replace(shown, address=address)

    def _call(self, ask: Any, path: str) -> Any:
        return self._client.call("deployment", lambda server: ask(server.projects.get(path, lazy=True)))

    def _remember(self, place: _Place, shown: _Deployment) -> None:
        with self._lock:
            self._known[place] = shown
            self._known.move_to_end(place)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _read(fields: Mapping[str, Any]) -> _Deployment | None:
    deployment_id, environment = integer(fields, "id"), mapping(fields, "environment")
    if not deployment_id:
        return None
    return _Deployment(
        id=deployment_id,
        sha=text(fields, "sha"),
        ref=text(fields, "ref"),
        status=text(fields, "status"),
        environment_id=integer(environment, "id"),
        address=text(environment, "external_url"),
    )
