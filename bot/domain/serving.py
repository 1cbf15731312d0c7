"""A served model: what is desired, as KServe's `InferenceService`, and what is observed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.project import JsonValue

RUNTIMES = ("sklearn", "xgboost", "lightgbm", "onnx", "python")


@dataclass(frozen=True, slots=True)
class ServedRevision:
    """One version, as it is to be served.

    `id` is the same for the same version, and fit for the name of a file. `storage` is the address of the model's
    folder, whose digest is `digest`. `code` is the clone address for the runtime `python`, whose `predict.py` lies in
    `model_path` at `sha`, and is where the environment's requirements file lies too. `memory_bytes` 0 means no limit.
    """

    id: str
    version: str  # `v1.3.0`
    sha: str
    data_sha: str
    digest: str
    runtime: str
    storage: str
    code: str
    model_path: str
    environment: Mapping[str, JsonValue] = field(default_factory=dict)
    memory_bytes: int = 0
    cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """`percent` of the requests; 0 keeps a revision warm: a candidate before its test, or what served before."""

    revision: ServedRevision
    percent: int


@dataclass(frozen=True, slots=True)
class DesiredService:
    """What is to serve below `/serve/<environment>/<model>/`. The shares sum to 100, or to 0 before the first one is
    live. The oldest comes first."""

    repository: str
    environment: str
    model: str
    shares: tuple[Share, ...]

    @property
    def name(self) -> str:
        return service_name(self.environment, self.model)


def service_name(environment: str, model: str) -> str:
    return f"{environment}/{model}"


class RevisionState(StrEnum):
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"  # ended, or not able to load the model; it may be started again
    GONE = "gone"  # nothing is known of it


@dataclass(frozen=True, slots=True)
class ObservedRevision:
    """`address` is where this one revision answers, below which are `/v2/…` and `/v1/…`; "" while it does not.
    `message` is one line for people, `log_tail` the newest lines of its log, masked."""

    id: str
    state: RevisionState
    percent: int
    address: str = ""
    since: datetime | None = None
    restarts: int = 0
    message: str = ""
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObservedService:
    environment: str
    model: str
    revisions: tuple[ObservedRevision, ...] = ()

    def revision(self, revision_id: str) -> ObservedRevision:
        found = next((revision for revision in self.revisions if revision.id == revision_id), None)
        return found or ObservedRevision(revision_id, RevisionState.GONE, percent=0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was answered since a revision took its present share: the canary's measure. Latencies are milliseconds.
    Where serving can not tell, `is_measured` is False and the rest says nothing."""

    requests: int = 0
    errors: int = 0  # answers of 5xx, and requests that got none
    p99_ms: float | None = None
    is_measured: bool = True
