"""How KServe is set up in a cluster: what it can do is found out before anything is changed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import TransientError, UserError
from bot.serving.kserve_api import KubernetesApi
from bot.serving.kserve_manifest import Dialect, Manifest

ASKED_AGAIN_AFTER_S = 600.0  # KServe may be updated while the bot runs
CONFIG = "/api/v1/namespaces/kserve/configmaps/inferenceservice-config"
SCHEMA = "/openapi/v3/apis/serving.kserve.io/v1beta1"
# KServe 0.16 renamed them (kserve/kserve#4602)
_MODES = {"serverless": "knative", "knative": "knative", "rawdeployment": "standard", "standard": "standard"}


@dataclass(frozen=True, slots=True)
class Facts:
    """`default_mode` "" means that it can not be known. `has_canaries` is of its Standard mode."""

    has_knative: bool
    has_canaries: bool
    default_mode: str


class KServeCluster:
    """`mode` is what the operator says, "" to find out. Thread-safe; remembers for a while."""

    def __init__(self, api: KubernetesApi, *, mode: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._mode = mode
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._known: tuple[float, Facts] | None = None

    def dialect(self, there: Manifest | None) -> Dialect:
        """For a service that is there, or a new one. Raises UserError, TransientError."""
        facts = self.facts()
        mode = _mode_of(there) or self._mode or facts.default_mode
        if not mode:
            raise UserError(
                "It can not be found out in which mode KServe serves here.",
                "Whoever runs the bot can say it in MLOPS_BOT_SERVING_MODE: `knative` or `standard`. Nothing was "
                "changed.",
            )
        if mode == "knative":
            return Dialect.KNATIVE
        return Dialect.CANARIES if facts.has_canaries else Dialect.STANDARD

    def facts(self) -> Facts:
        """Raises TransientError where KServe is not installed."""
        with self._lock:
            if self._known is None or self._clock_s() - self._known[0] > ASKED_AGAIN_AFTER_S:
                self._known = (self._clock_s(), self._ask())
            return self._known[1]

    def _ask(self) -> Facts:
        groups = {group.get("name") for group in (self._api.get("/apis") or {}).get("groups") or ()}
        if "serving.kserve.io" not in groups:
            raise TransientError("KServe is not installed in the cluster.")
        has_knative = "serving.knative.dev" in groups
        schema = self._api.get(SCHEMA) or {}
        return Facts(has_knative, _has_canaries(schema), self._default_mode() if has_knative else "standard")

    def _default_mode(self) -> str:
        try:
            config = self._api.get(CONFIG) or {}
        except UserError:  # the bot needs no right to read it; then an operator says the mode
            return ""
        try:
            deploy = json.loads((config.get("data") or {})["deploy"])
            return _MODES.get(str(deploy["defaultDeploymentMode"]).lower(), "")
        except (KeyError, TypeError, ValueError):
            return ""


def _mode_of(item: Manifest | None) -> str:
    """Once made, it does not change."""
    if item is None:
        return ""
    said = (item.get("status") or {}).get("deploymentMode") or (item["metadata"].get("annotations") or {}).get(
        "serving.kserve.io/deploymentMode", ""
    )
    return _MODES.get(str(said).lower(), "")


def _has_canaries(schema: Mapping[str, Any]) -> bool:
    for name, one in ((schema.get("components") or {}).get("schemas") or {}).items():
        if name.endswith(".InferenceService"):
            spec = (one.get("properties") or {}).get("spec") or {}
            return "canary" in (spec.get("properties") or {})
    return False
