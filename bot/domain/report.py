"""What is said of a change, or of a branch's commit: a verdict per model, and what led to it.

Only decisions are here: the words are in `report_words`, the checks in `report_checks`, the Markdown in `bot/comments`.
No clock is read, so a report stays equal until something happens, and equal reports are not posted twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.feedback import Notice, Subject, Waiver
from bot.domain.gate import Judgement, Outcome, Verdict, judge, parse_gate
from bot.domain.links import Links
from bot.domain.masking import mask
from bot.domain.plots import ParsedPlot
from bot.domain.report_deployments import DeploymentLine
from bot.domain.report_diff import DataDiff, MetricLine, ParamChange, compare_data, compare_metrics, compare_params
from bot.domain.report_versions import VersionFacts
from bot.domain.result import Metric, Plot, Result
from bot.domain.run import EngineRun, Phase, Run, StepProgress

LOG_LINES = 30


@dataclass(frozen=True, slots=True)
class ModelState:
    """What is known of one model: what `build_report` is given.

    `run` is the newest. `engine` is what the engine says of it while it is active, `queue_place` is 1 for what starts
    next. `reused` is the result shown when the phase is REUSED (default: the run's own). `base` is the incumbent on the
    target branch, or the run before on the same branch. `production` is what served there when the run ended. `plots`
    maps a plot's path to what `parse_plot` made of it.
    """

    run: Run
    engine: EngineRun | None = None
    queue_place: int | None = None
    reused: Result | None = None
    base: Run | None = None
    production: VersionFacts | None = None
    plots: Mapping[str, ParsedPlot] = field(default_factory=dict)


class Standing(StrEnum):
    """Where a model stands, the worst first: the order in which people want to know."""

    FAILED = "failed"
    MISSED = "missed"
    RUNNING = "running"
    QUEUED = "queued"
    CANCELED = "canceled"
    SUPERSEDED = "superseded"
    UNMEASURED = "unmeasured"  # ended well, without metrics and gates
    UNGATED = "ungated"  # has metrics, but nothing was required of them
    WAIVED = "waived"
    PASSED = "passed"


@dataclass(frozen=True, slots=True)
class PlotLine:
    """`parsed` is None for a plot that is shown as it is."""

    plot: Plot
    parsed: ParsedPlot | None = None


@dataclass(frozen=True, slots=True)
class ModelReport:
    """`result` is what is shown; `files_run` is the run that left its files. `waivers` are those that no gate needed.

    `log` is the end of the failed step's log, masked.
    """

    run: Run
    standing: Standing
    result: Result | None = None
    files_run: str = ""
    base: Run | None = None
    production: VersionFacts | None = None
    judgement: Judgement | None = None
    queue_place: int | None = None
    progress: tuple[StepProgress, ...] = ()
    metrics: tuple[MetricLine, ...] = ()
    params: tuple[ParamChange, ...] = ()
    data: DataDiff | None = None
    plots: tuple[PlotLine, ...] = ()
    log: tuple[str, ...] = ()
    waivers: tuple[Waiver, ...] = ()

    @property
    def name(self) -> str:
        return self.run.model

    @property
    def is_reused(self) -> bool:
        return self.run.phase is Phase.REUSED


@dataclass(frozen=True, slots=True)
class Report:
    """`target_branch` is "" for a branch's own commit. `links` is None where nobody serves pages."""

    subject: Subject
    models: tuple[ModelReport, ...] = ()
    notice: Notice | None = None
    target_branch: str = ""
    links: Links | None = None
    deployments: tuple[DeploymentLine, ...] = ()

    @property
    def page(self) -> str:
        """The address of the whole report; "" without pages."""
        if self.links is None:
            return ""
        if self.subject.number is not None:
            return self.links.change(self.subject.repository, self.subject.number)
        return self.links.commit(self.subject.repository, self.subject.sha)


def build_report(
    subject: Subject,
    states: Sequence[ModelState],
    *,
    notice: Notice | None = None,
    waivers: Sequence[Waiver] = (),
    target_branch: str = "",
    links: Links | None = None,
    deployments: Sequence[DeploymentLine] = (),
) -> Report:
    """`waivers` are those of the change that have not expired; models and deployments keep their order."""
    models = tuple(_model_report(state, waivers) for state in states)
    return Report(subject, models, notice, target_branch, links, tuple(deployments))


def _model_report(state: ModelState, waivers: Sequence[Waiver]) -> ModelReport:
    run = state.run
    result = (state.reused or run.result) if run.phase is Phase.REUSED else run.result
    if not run.phase.is_final:
        return _active(state)
    if run.phase not in (Phase.SUCCEEDED, Phase.REUSED) or result is None:
        return _ended_early(state, result)
    granted = [waiver for waiver in waivers if waiver.model == run.model]
    base = state.base.result if state.base else None
    judgement = _judgement(run, result, base, state.production, granted)
    used = {_written(outcome.gate.text) for outcome in judgement.outcomes if outcome.outcome is Outcome.WAIVED}
    return ModelReport(
        run=run,
        standing=_standing(judgement, result),
        result=result,
        files_run=run.reused_run or run.id,
        base=state.base if base else None,
        production=state.production,
        judgement=judgement,
        metrics=compare_metrics(
            result.metrics,
            base.metrics if base else None,
            [outcome.gate for outcome in judgement.outcomes],
            production=state.production.metrics if state.production else None,
        ),
        params=compare_params(result, base) if base else (),
        data=compare_data(result.data, base.data if base else None),
        plots=tuple(PlotLine(plot, state.plots.get(plot.path)) for plot in result.plots),
        waivers=tuple(waiver for waiver in granted if _written(waiver.gate) not in used),
    )


def _written(gate: str) -> str:
    """Spaces in a gate's text mean nothing."""
    return "".join(gate.split())


def _active(state: ModelState) -> ModelReport:
    queued = state.run.phase is Phase.QUEUED
    return ModelReport(
        run=state.run,
        standing=Standing.QUEUED if queued else Standing.RUNNING,
        files_run=state.run.id,
        queue_place=state.queue_place if queued else None,
        progress=state.engine.steps if state.engine else (),
    )


def _ended_early(state: ModelState, result: Result | None) -> ModelReport:
    run = state.run
    standings = {Phase.CANCELED: Standing.CANCELED, Phase.SUPERSEDED: Standing.SUPERSEDED}
    base = state.base.result if state.base else None
    return ModelReport(
        run=run,
        standing=standings.get(run.phase, Standing.FAILED),
        result=result,
        files_run=run.id,
        base=state.base if base else None,
        params=compare_params(result, base) if result and base else (),
        data=compare_data(result.data, base.data) if result and base else None,
        log=_failed_log(result),
    )


def _failed_log(result: Result | None) -> tuple[str, ...]:
    if result is None or result.failure is None:
        return ()
    named = [step for step in result.steps if step.name == result.failure.step]
    steps = named or [step for step in result.steps if step.state == "failed"]
    return tuple(mask(line) for line in steps[-1].log_tail[-LOG_LINES:]) if steps else ()


def _standing(judgement: Judgement, result: Result) -> Standing:
    match judgement.verdict:
        case Verdict.EMPTY:
            return Standing.UNGATED if result.metrics else Standing.UNMEASURED
        case Verdict.MISSED:
            return Standing.MISSED
        case Verdict.WAIVED:
            return Standing.WAIVED
        case Verdict.PASSED:
            return Standing.PASSED


def _judgement(
    run: Run, result: Result, base: Result | None, production: VersionFacts | None, waivers: Sequence[Waiver]
) -> Judgement:
    return judge(
        [parse_gate(text) for text in run.gates],
        metrics=_values(result.metrics),
        base=_values(base.metrics) if base else None,
        production=_values(production.metrics) if production else None,
        waivers=waivers,
    )


def _values(metrics: Mapping[str, Metric]) -> dict[str, float]:
    return {name: metric.value for name, metric in metrics.items()}
