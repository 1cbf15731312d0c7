"""What the pages say of a run: where it stands, how far its steps are, one line about what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.pipeline import DEPLOY, EVALUATE
from bot.domain.report import ModelReport
from bot.domain.run import Phase, Run, StepProgress
from bot.usecases.reports import run_report
from bot.usecases.world import World
from bot.web.states import State, of_run, of_step

TRAIN_STEPS = ("fetch", "train", "evaluate", "report")
EVALUATE_STEPS = ("fetch", "evaluate", "report")
DEPLOY_STEPS = ("verify", "apply", "smoke-test", "promote", "report")


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run in a list."""

    run: Run
    state: State
    summary: str


@dataclass(frozen=True, slots=True)
class StepView:
    name: str
    state: State
    started_at: datetime | None
    ended_at: datetime | None
    peak_memory_bytes: int | None = None
    cpu_s: float | None = None

    @property
    def is_running(self) -> bool:
        return self.state.look == "busy"


def run_line(run: Run, world: World) -> RunLine:
    report = run_report(run, world)
    return RunLine(run, of_run(report), _summary(report))


def run_lines(runs: Sequence[Run], world: World) -> list[RunLine]:
    return [run_line(run, world) for run in runs]


def newest_by_model(runs: Sequence[Run]) -> list[Run]:
    """Of runs that are sorted newest first."""
    newest: dict[str, Run] = {}
    for run in runs:
        newest.setdefault(run.model, run)
    return [newest[model] for model in sorted(newest)]


def steps_of(run: Run, report: ModelReport) -> list[StepView]:
    """From the result when there is one, else from the engine, else what is to come."""
    if report.result is not None and report.result.steps:
        return [
            StepView(step.name, of_step(step.state), step.started_at, step.ended_at, step.peak_memory_bytes, step.cpu_s)
            for step in report.result.steps
        ]
    known = {step.name: step for step in report.progress}
    names = [*dict.fromkeys([*expected_steps(run), *known])]
    later = "skipped" if run.phase.is_final else "pending"
    steps = [known.get(name) or StepProgress(name, later) for name in names]
    return [StepView(step.name, of_step(step.state), step.started_at, step.ended_at) for step in steps]


def expected_steps(run: Run) -> tuple[str, ...]:
    if run.pipeline == DEPLOY:
        return DEPLOY_STEPS
    if run.pipeline == EVALUATE:
        return EVALUATE_STEPS
    evaluates = bool(run.arguments.get("evaluate", True))
    return tuple(name for name in TRAIN_STEPS if name != "evaluate" or evaluates)


def _summary(report: ModelReport) -> str:
    """One line about what came out, or what is being waited for."""
    run = report.run
    if run.phase is Phase.QUEUED:
        return f"number {report.queue_place} in the queue" if report.queue_place else "waits for its turn"
    if run.cancel_requested_by and report.judgement is None:
        return "for a newer run" if run.superseded_by else f"by {run.cancel_requested_by}"
    if run.result is not None and run.result.failure is not None:
        return f"{run.result.failure.step}: {run.result.failure.message}"
    if run.pipeline == DEPLOY and run.phase.is_final:
        return ""
    if report.judgement is not None:
        reused = f"reused {run.reused_run}; " if run.reused_run else ""
        return reused + report.judgement.summary
    running = [step.name for step in report.progress if step.state == "running"]
    return f"in step {', '.join(running)}" if running else ""
