"""How a run, a change or a check stands, in one word and one colour."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bot.domain.change import ChangeState
from bot.domain.check import Check, CheckStatus, Conclusion
from bot.domain.pipeline import DEPLOY
from bot.domain.report import ModelReport, Standing
from bot.domain.run import Phase

Look = Literal["good", "bad", "warned", "busy", "waiting", "off"]

_BY_STANDING: dict[Standing, tuple[Look, str]] = {
    Standing.FAILED: ("bad", "Failed"),
    Standing.MISSED: ("bad", "Gates missed"),
    Standing.RUNNING: ("busy", "Running"),
    Standing.QUEUED: ("waiting", "Queued"),
    Standing.CANCELED: ("off", "Canceled"),
    Standing.SUPERSEDED: ("off", "Superseded"),
    Standing.UNMEASURED: ("off", "No metrics"),
    Standing.UNGATED: ("off", "No gates"),
    Standing.WAIVED: ("warned", "Passed by waiver"),
    Standing.PASSED: ("good", "Passed"),
}
_BY_CONCLUSION: dict[Conclusion, tuple[Look, str]] = {
    Conclusion.SUCCESS: ("good", "Passed"),
    Conclusion.FAILURE: ("bad", "Failed"),
    Conclusion.NEUTRAL: ("off", "Neutral"),
    Conclusion.CANCELED: ("off", "Canceled"),
    Conclusion.ACTION_REQUIRED: ("warned", "Action required"),
}
_BY_STEP: dict[str, tuple[Look, str]] = {
    "pending": ("waiting", "pending"),
    "running": ("busy", "running"),
    "succeeded": ("good", "succeeded"),
    "failed": ("bad", "failed"),
    "skipped": ("off", "skipped"),
    "canceled": ("off", "canceled"),
}
_BY_CHANGE: dict[ChangeState, tuple[Look, str]] = {
    ChangeState.OPEN: ("good", "Open"),
    ChangeState.MERGED: ("warned", "Merged"),
    ChangeState.CLOSED: ("off", "Closed"),
}
_WORST_FIRST: tuple[Look, ...] = ("busy", "waiting", "bad", "warned", "good", "off")


@dataclass(frozen=True, slots=True)
class State:
    look: Look
    words: str


def of_run(report: ModelReport) -> State:
    if not report.run.phase.is_final and report.run.cancel_requested_by is not None:
        return State("busy", "Canceling")
    if report.run.phase is Phase.SUCCEEDED and report.run.pipeline == DEPLOY:
        return State("good", "Succeeded")  # it measures nothing
    look, words = _BY_STANDING[report.standing]
    ends = [one.waiver.expires_at for one in report.judgement.outcomes if one.waiver] if report.judgement else []
    if report.standing is Standing.WAIVED and ends:
        words = f"{words} until {min(ends):%Y-%m-%d}"
    return State(look, words)


def of_step(state: str) -> State:
    return State(*_BY_STEP.get(state, ("waiting", state)))


def of_check(check: Check) -> State:
    if check.conclusion is not None:
        return State(*_BY_CONCLUSION[check.conclusion])
    return State("busy", "Running") if check.status is CheckStatus.IN_PROGRESS else State("waiting", "Queued")


def of_change(state: ChangeState) -> State:
    return State(*_BY_CHANGE[state])


def together(states: Iterable[State]) -> State | None:
    """What to say of several: what is still going on, else the worst. None of none."""
    return min(states, key=lambda state: _WORST_FIRST.index(state.look), default=None)
