"""Gather what a report is built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bot.domain.feedback import Subject, SubjectFeedback
from bot.domain.gate import Judgement
from bot.domain.plots import PLOT_LIMIT_BYTES, ParsedPlot, parse_plot
from bot.domain.report import ModelReport, ModelState, Report, build_report
from bot.domain.report_versions import VersionFacts, facts_of_version
from bot.domain.run import Phase, Run
from bot.usecases.deployments.incumbents import PRODUCTION, serving_version
from bot.usecases.deployments.lines import deployment_lines
from bot.usecases.world import World

MOST_RUNS = 500  # of one subject that are looked through for the newest of each model


def subject_report(feedback: SubjectFeedback, world: World) -> Report:
    """The newest run of each model at the subject's head, and what was said of the head besides."""
    subject = feedback.subject
    newest: dict[str, Run] = {}
    runs = world.store.runs(
        repository=subject.repository,
        number=subject.number,
        branch=subject.branch if subject.number is None else None,
        limit=MOST_RUNS,
    )
    for run in runs:
        if run.sha == subject.sha:
            newest.setdefault(run.model, run)
    target, waivers = "", []
    if subject.number is not None:
        change = world.store.change(subject.repository, subject.number)
        target = change.target_branch if change is not None else ""
        waivers = world.store.waivers(subject.repository, subject.number, now=world.clock())
    return build_report(
        subject,
        [model_state(newest[name], world) for name in sorted(newest)],
        notice=feedback.notice,
        waivers=waivers,
        target_branch=target,
        links=world.links,
        deployments=deployment_lines(subject, world),
    )


def run_report(run: Run, world: World, *, with_plots: bool = False) -> ModelReport:
    """One run held against its base and its gates, as in the report on its change."""
    subject = Subject(run.repository, run.number, run.branch, run.sha)
    waivers = []
    if run.number is not None:
        waivers = world.store.waivers(run.repository, run.number, now=world.clock())
    return build_report(subject, [model_state(run, world, with_plots=with_plots)], waivers=waivers).models[0]


def judgement_now(run: Run, world: World) -> Judgement | None:
    """Held against what serves in production now, not against what did when the run ended."""
    pinned = replace(run, production_version=_production_now(run, world))
    return run_report(pinned, world).judgement


def _production_now(run: Run, world: World) -> str | None:
    version = serving_version(run.repository, run.model, PRODUCTION, world)
    return None if version is None else version.id


def model_state(run: Run, world: World, *, with_plots: bool = True) -> ModelState:
    """One run with its incumbent, its plots, and where it stands while it is active."""
    is_started = run.phase in (Phase.STARTING, Phase.RUNNING)
    return ModelState(
        run=run,
        engine=world.engine.observe([run.id])[run.id] if is_started else None,
        queue_place=world.store.queue_position(run.id) if run.phase is Phase.QUEUED else None,
        base=world.store.run(run.base_run) if run.base_run is not None else None,
        production=_production(run, world),
        plots=_plots(run, world) if with_plots else {},
    )


def _production(run: Run, world: World) -> VersionFacts | None:
    version = world.store.version(run.production_version) if run.production_version is not None else None
    return facts_of_version(version.lock, environment=PRODUCTION) if version is not None else None


def files_run(run: Run) -> str:
    """The run whose files this one shows: for a reused result, the run that made it."""
    return run.reused_run or run.id


def read_plot(run: Run, path: str, world: World) -> bytes | None:
    """At most one byte more than the limit, so that a reader sees that it is too long."""
    try:
        return world.artifacts.read(files_run(run), path, limit_bytes=PLOT_LIMIT_BYTES + 1)
    except ValueError:  # a path that leaves the run's prefix
        return None


def _plots(run: Run, world: World) -> Mapping[str, ParsedPlot]:
    """Those that the bot draws itself, read from the run's files."""
    parsed: dict[str, ParsedPlot] = {}
    for plot in run.result.plots if run.result is not None else ():
        content = read_plot(run, plot.path, world)
        drawn = None if content is None else parse_plot(plot, content)
        if drawn is not None:
            parsed[plot.path] = drawn
    return parsed
