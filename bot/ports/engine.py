"""An engine: where pipelines run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.project import JsonValue
from bot.domain.run import EngineRun


@dataclass(frozen=True, slots=True)
class Submission:
    """`arguments` are the pipeline's parameters and may be shown to anybody; `secrets` are not, and reach only the
    steps' environment: the run's callback token and the declared secrets of the model."""

    run_id: str
    pipeline: str
    arguments: Mapping[str, JsonValue]
    secrets: Mapping[str, str]


class Engine(Protocol):
    """Every call returns soon: an engine starts, it never waits for a run."""

    name: str
    places: int | None  # how many runs at once; None leaves the queueing to the engine

    def submit(self, submission: Submission) -> None:
        """Start a run. Safe to call again with the same id, whatever happened in between: it is started once."""

    def observe(self, run_ids: Sequence[str]) -> Mapping[str, EngineRun]:
        """What the engine knows now, in one go; an id that it does not know is UNKNOWN."""

    def cancel(self, run_id: str) -> None:
        """Ask for the end; `observe` tells when it has come. Safe to call again, and for runs that have ended."""

    def check_health(self) -> None:
        """Raises TransientError with the reason."""

    def close(self) -> None:
        """Let go without ending runs: they are found again."""
