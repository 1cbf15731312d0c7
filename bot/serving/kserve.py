"""Serving on a cluster with KServe: one InferenceService for each place, which holds all that the bot knows of it.

What KServe can not do is refused before anything is changed. Requests are split and counted by the cluster's own
ingress, which tells the bot nothing of them: a canary here is held for its time, and judged by people.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog

from bot.domain.errors import TransientError, UserError
from bot.domain.serving import DesiredService, ObservedService, Traffic
from bot.serving.kserve_api import KubernetesApi
from bot.serving.kserve_cluster import KServeCluster
from bot.serving.kserve_manifest import (
    OWNER,
    Dialect,
    desired_service,
    first_of,
    inference_service,
    is_ours,
    object_name,
    too_early,
)
from bot.serving.kserve_observe import observed_service
from bot.serving.kserve_predictor import PREFIX, Setup
from bot.serving.kserve_settings import ServingSettings

log = structlog.get_logger()


class KServeServing:
    """Thread-safe. Keeps nothing: two bots may serve the same cluster."""

    name = "kserve"

    def __init__(self, settings: ServingSettings) -> None:
        assert settings.cluster is not None
        self.setup = Setup(settings.namespace, settings.image, settings.service_account)
        self._api = KubernetesApi(settings.cluster)
        self._cluster = KServeCluster(self._api, mode=settings.mode)
        self._path = f"/apis/serving.kserve.io/v1beta1/namespaces/{settings.namespace}/inferenceservices"

    def apply(self, desired: DesiredService) -> None:
        """Raises Conflict where somebody else changed what the bot applies, UserError for what KServe can not do."""
        if not desired.shares:
            self.remove(desired.environment, desired.model)
            return
        there = self.found(desired.environment, desired.model)
        dialect = self.dialect_of(there)
        first = first_of(desired, dialect, there)
        manifest = inference_service(first or desired, dialect=dialect, there=there, setup=self.setup)
        self._api.apply(self._path_of(desired.environment, desired.model), manifest)
        if first is not None:
            raise too_early(first)

    def desired(self, environment: str, model: str) -> DesiredService | None:
        found = self.found(environment, model)
        return None if found is None else _read(found)

    def observe(self, environment: str, model: str) -> ObservedService:
        found = self.found(environment, model)
        return ObservedService(environment, model) if found is None else observed_service(found)

    def services(self) -> Sequence[DesiredService]:
        items = self._api.list(self._path, selector=f"{OWNER}={PREFIX}")
        found = (_read(item) for item in items if not item["metadata"].get("deletionTimestamp"))
        return sorted(filter(None, found), key=lambda one: (one.environment, one.model))

    def traffic(self, environment: str, model: str, revision_id: str) -> Traffic:  # noqa: ARG002 - the port's names
        """Not known here: see the head of this file."""
        return Traffic(is_measured=False)

    def remove(self, environment: str, model: str) -> None:
        if self.found(environment, model) is not None:
            self._api.delete(self._path_of(environment, model))

    def check_health(self) -> None:
        try:
            self._cluster.facts()
            next(self._api.list(self._path, selector=f"{OWNER}={PREFIX}"), None)
        except UserError as error:
            raise TransientError(str(error)) from error

    def close(self) -> None:
        self._api.close()

    # -- what a service does with all that serves: here the cluster does
    def start(self) -> None: ...

    def prune(self, _older_than: timedelta) -> int:
        return 0

    def end(self, *, within_s: float) -> None:  # noqa: ARG002 - a name that others give
        """What serves in a cluster serves on."""
        self.close()

    # -- beyond the port
    def dialect_of(self, there: dict[str, Any] | None) -> Dialect:
        return self._cluster.dialect(there)

    def found(self, environment: str, model: str) -> dict[str, Any] | None:
        """The object, unless it is on its way out. Raises UserError for one of the same name that is not the bot's."""
        found = self._api.get(self._path_of(environment, model))
        if found is None or found["metadata"].get("deletionTimestamp"):
            return None
        if not is_ours(found):
            raise UserError(
                f"There is an InferenceService {found['metadata']['name']} in {self.setup.namespace} that is not the "
                "bot's.",
                "Remove it, or give the model another name.",
            )
        return found

    def _path_of(self, environment: str, model: str) -> str:
        return f"{self._path}/{object_name(environment, model)}"


def _read(item: dict[str, Any]) -> DesiredService | None:
    try:
        return desired_service(item)
    except ValueError:  # changed by hand; the record restores it
        log.exception("inference_service_not_read", name=item["metadata"]["name"])
        return None
