"""What the pages say of a run: where it stands, how far its steps are, one line about what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.domain.feedback import Subject
from bot.domain.pipeline import EVALUATE
from bot.domain.plots import PLOT_LIMIT_BYTES, ParsedPlot, parse_plot
from bot.domain.report import ModelReport, ModelState, build_report
from bot.domain.run import Phase, Run, StepProgress
from bot.usecases.world import World
from bot.web.states import State, of_run, of_step

TRAIN_STEPS = ("fetch", "train", "evaluate", "report")
EVALUATE_STEPS = ("fetch", "evaluate", "report")


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


def report_of(run: Run, world: World, *, with_plots: bool = False) -> ModelReport:
    """The run held against its base and its gates, as in the report on the change."""
    plots = plots_of(run, world) if with_plots else {}
    is_on_engine = run.phase in (Phase.STARTING, Phase.RUNNING)
    subject = Subject(run.repository, run.number, run.branch, run.sha)
    state = ModelState(
        run=run,
        engine=world.engine.observe([run.id])[run.id] if is_on_engine else None,
        queue_place=world.store.queue_position(run.id) if run.phase is Phase.QUEUED else None,
        base=world.store.run(run.base_run) if run.base_run else None,
        plots=plots,
    )
    now = world.clock()
    waivers = world.store.waivers(run.repository, run.number, now=now) if run.number is not None else []
    return build_report(subject, [state], waivers=waivers).models[0]


def run_line(run: Run, world: World) -> RunLine:
    report = report_of(run, world)
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
    if run.pipeline == EVALUATE:
        return EVALUATE_STEPS
    evaluates = bool(run.arguments.get("evaluate", True))
    return tuple(name for name in TRAIN_STEPS if name != "evaluate" or evaluates)


def files_run(run: Run) -> str:
    """The run whose files this one shows: for a reused result, the run that made it."""
    return run.reused_run or run.id


def plots_of(run: Run, world: World) -> dict[str, ParsedPlot]:
    """Those that the bot draws itself, read from the run's files."""
    plots: dict[str, ParsedPlot] = {}
    for plot in run.result.plots if run.result else ():
        content = read_plot(run, plot.path, world)
        parsed = parse_plot(plot, content) if content is not None else None
        if parsed is not None:
            plots[plot.path] = parsed
    return plots


def read_plot(run: Run, path: str, world: World) -> bytes | None:
    """At most one byte more than the limit, so that a reader sees that it is too long."""
    try:
        return world.artifacts.read(files_run(run), path, limit_bytes=PLOT_LIMIT_BYTES + 1)
    except ValueError:  # a path that leaves the run's prefix
        return None


def _summary(report: ModelReport) -> str:
    """One line about what came out, or what is being waited for."""
    run = report.run
    if run.phase is Phase.QUEUED:
        return f"number {report.queue_place} in the queue" if report.queue_place else "waits for its turn"
    if run.cancel_requested_by and report.judgement is None:
        return "for a newer run" if run.superseded_by else f"by {run.cancel_requested_by}"
    if run.result is not None and run.result.failure is not None:
        return f"{run.result.failure.step}: {run.result.failure.message}"
    if report.judgement is not None:
        reused = f"reused {run.reused_run}; " if run.reused_run else ""
        return reused + report.judgement.summary
    running = [step.name for step in report.progress if step.state == "running"]
    return f"in step {', '.join(running)}" if running else ""
