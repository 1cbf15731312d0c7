"""A run: one execution of a pipeline for a model, and the phases it goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from bot.domain.project import JsonValue
from bot.domain.result import Result


class Phase(StrEnum):
    """The names are stored: renaming one needs a migration."""

    QUEUED = "queued"  # accepted and pinned; waits for a place
    STARTING = "starting"  # the intent to submit is stored; the engine may or may not know it yet
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    SUPERSEDED = "superseded"  # a newer head or request took its place
    REUSED = "reused"  # an equal run key had succeeded already: nothing was run

    @property
    def is_final(self) -> bool:
        return self not in ACTIVE_PHASES


ACTIVE_PHASES = frozenset({Phase.QUEUED, Phase.STARTING, Phase.RUNNING})


def run_id(*, run_key: str, trigger: str) -> str:
    """The same for the same key and trigger, so that what is asked for twice exists once."""
    return "run-" + sha256(f"{run_key}\n{trigger}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Run:
    """`number` is the change's, None for a run of a branch. `arguments` are the pipeline's parameters, without secrets.

    `trigger` says what asked for it, and is unique for a key: `push:<sha>`, `comment:<id>:<line>`, `rerun:<delivery>`.
    `gates` are the texts of the gates that count: those of the base branch, where it has the model.
    """

    id: str
    key: str
    trigger: str
    repository: str
    number: int | None
    branch: str
    model: str
    pipeline: str
    sha: str
    requested_by: str
    requested_at: datetime
    phase: Phase
    params: Mapping[str, JsonValue]
    arguments: Mapping[str, JsonValue]
    gates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what the report says besides: "gates come from main: the change edits them"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    result: Result | None = None
    reused_run: str | None = None  # the run whose result this one shows
    base_run: str | None = None  # the incumbent on the target branch when this run ended
    production_version: str | None = None  # the id of the version that served in production when this run ended
    cancel_requested_by: str | None = None
    superseded_by: str | None = None
    serve: str = ""  # the runtime of a model that is to be deployed, else ""
    force: bool = False  # asked for with --force: an equal key's result is not reused


@dataclass(frozen=True, slots=True)
class StepProgress:
    """A step as it stands now. `state` is pending, running, succeeded, failed, skipped or canceled."""

    name: str
    state: str
    started_at: datetime | None = None
    ended_at: datetime | None = None


class EngineState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    UNKNOWN = "unknown"  # the engine has never heard of it, or lost it


@dataclass(frozen=True, slots=True)
class EngineRun:
    """What an engine says of a run. `reason` is for a state that the run itself could not explain."""

    run_id: str
    state: EngineState
    steps: tuple[StepProgress, ...] = field(default=())
    reason: str = ""
