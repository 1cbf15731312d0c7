"""An engine whose runs do what a test says, when it says so; strict about what it is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bot.domain.run import EngineRun, EngineState, StepProgress
from bot.ports.engine import Submission

ACTIVE = (EngineState.PENDING, EngineState.RUNNING)


class FakeEngine:
    """`submissions` are those that started something. Nothing ends by itself: see `end`."""

    name = "fake"

    def __init__(self, *, places: int | None = None) -> None:
        self.places = places
        self.submissions: dict[str, Submission] = {}
        self.asked_to_cancel: list[str] = []
        self._seen: dict[str, EngineRun] = {}

    def submit(self, submission: Submission) -> None:
        assert re.fullmatch(r"run-[0-9a-f]{16}", submission.run_id)
        assert submission.arguments["run_id"] == submission.run_id
        assert "MLOPS_BOT_CALLBACK_TOKEN" in submission.secrets
        if submission.run_id in self._seen:
            return
        self.submissions[submission.run_id] = submission
        self.put(submission.run_id, EngineState.RUNNING)

    def observe(self, run_ids: Sequence[str]) -> Mapping[str, EngineRun]:
        return {run_id: self._seen.get(run_id, EngineRun(run_id, EngineState.UNKNOWN)) for run_id in run_ids}

    def cancel(self, run_id: str) -> None:
        self.asked_to_cancel.append(run_id)
        seen = self._seen.get(run_id)
        if seen is not None and seen.state in ACTIVE:
            self.put(run_id, EngineState.CANCELED)

    def check_health(self) -> None:
        return None

    def close(self) -> None:
        return None

    # -- for tests
    def put(self, run_id: str, state: EngineState, *, reason: str = "", steps: tuple[StepProgress, ...] = ()) -> None:
        self._seen[run_id] = EngineRun(run_id, state, steps, reason)

    def forget(self, run_id: str) -> None:
        del self._seen[run_id]
