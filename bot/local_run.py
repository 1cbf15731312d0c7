"""Run a working tree's models without a service: the same orders, engine and report, driven by this process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import click

from bot import logs
from bot.domain.errors import UserError
from bot.domain.pipeline import EVALUATE
from bot.domain.report import Report, Standing, build_report
from bot.domain.report_words import shown_duration
from bot.domain.run import Run
from bot.domain.words import plain
from bot.settings import Settings
from bot.usecases.changes import subject_of
from bot.usecases.ordering import order_evaluation, order_training
from bot.usecases.reports import model_state
from bot.usecases.world import World
from bot.usecases.writes import Writes, apply
from bot.wiring.worktree import LocalBot, build_local

GATE_MISSED_EXIT = 1
STEP_FAILED_EXIT = 3
CANCELED_EXIT = 130  # as a shell says of what Ctrl-C ended
LOOK_EVERY_S = 0.05
COMMENT_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    pipeline: str
    model: str | None
    params: Mapping[str, str]
    data_rev: str = ""
    force: bool = False


def run_here(folder: Path, request: Request, settings: Settings) -> int:
    """Gives the exit code. Raises UserError for what the user can mend before anything runs."""
    logs.configure(json_lines=settings.log_json, secrets=settings.secret_values, level=logging.WARNING)
    with build_local(settings, folder) as bot:
        runs = _order(bot, request)
        if (note := _uncommitted_note(bot)) is not None:
            click.echo(note, err=True)
        from bot.comments.render import render_comment  # takes a while, and now there is time: the runs have begun

        ended = follow(bot, [run.id for run in runs])
        report = _report(bot, ended)
        _print(render_comment(report, limit=COMMENT_LIMIT))
        return _exit_code(report)


def _order(bot: LocalBot, request: Request) -> list[Run]:
    world, change = bot.world, bot.change
    repository = bot.repository
    trigger = f"run:{world.clock().isoformat()}"
    if request.pipeline == EVALUATE:
        if request.params or request.data_rev:
            raise UserError("`evaluate` takes no params: it evaluates the newest trained model.")
        runs = order_evaluation(
            repository, change, world, model_name=request.model, trigger=trigger, requested_by=change.author
        )
    else:
        runs = order_training(
            repository,
            change,
            world,
            model_name=request.model,
            given_params=request.params,
            data_rev=request.data_rev,
            force=request.force,
            every_model=True,
            trigger=trigger,
            requested_by=change.author,
        )
    is_trial = bool(request.params or request.data_rev)  # of what is not in the branch: nothing is held against it
    if bot.is_target_itself and not is_trial:
        runs = [replace(run, number=None) for run in runs]
    writes = Writes(repositories=[repository], changes=[change], runs=runs)
    with world.store.transaction() as tx:
        apply(writes, tx, now=world.clock())
    return runs


def _uncommitted_note(bot: LocalBot) -> str | None:
    """That more is run than was committed, and on the branch itself whose gates count all the same."""
    change = bot.change
    if change.head_sha == bot.committed_sha:
        return None
    if bot.committed_sha is None:
        return "including everything in this folder: nothing is committed yet"
    paths = bot.world.git.changed_paths(bot.repository.clone_address, bot.committed_sha, change.head_sha)
    note = f"including uncommitted changes of {len(paths)} {'file' if len(paths) == 1 else 'files'}"
    if change.source_branch != change.target_branch:
        return note
    return f"{note}; the gates that count are those of {plain(change.target_branch)} at {bot.committed_sha[:10]}"


def follow(bot: LocalBot, run_ids: Sequence[str]) -> list[Run]:
    """Drive the runs to their end; Ctrl-C cancels them."""
    from rich.console import Console

    console = Console(stderr=True)
    started = bot.world.clock()
    runs: list[Run] = []
    with console.status("starting") as status:
        while True:
            try:
                runs = [run for run_id in run_ids if (run := bot.world.store.run(run_id)) is not None]
                if all(run.phase.is_final for run in runs):
                    return runs
                status.update(_progress(runs, bot.world, started))
                bot.changed.wait(LOOK_EVERY_S)
                bot.changed.clear()
            except KeyboardInterrupt:
                click.echo("canceling …", err=True)
                _cancel(run_ids, bot.world)


def _cancel(run_ids: Sequence[str], world: World) -> None:
    with world.store.transaction() as tx:
        for run_id in run_ids:
            tx.request_cancel(run_id, by="Ctrl-C", superseded_by=None, now=world.clock())


def _progress(runs: Sequence[Run], world: World, started: datetime) -> str:
    from rich.markup import escape

    seen = world.engine.observe([run.id for run in runs if not run.phase.is_final])
    words = []
    for run in runs:
        steps = seen[run.id].steps if run.id in seen else ()
        step = next((step.name for step in steps if step.state == "running"), str(run.phase))
        words.append(f"{run.model}: {step}")
    return escape(f"{shown_duration((world.clock() - started).total_seconds())}  {', '.join(words)}")


def _report(bot: LocalBot, runs: Sequence[Run]) -> Report:
    states = [model_state(run, bot.world) for run in runs]
    return build_report(subject_of(bot.change), states, target_branch=bot.change.target_branch)


def _print(markdown: str) -> None:
    if not sys.stdout.isatty():
        click.echo(markdown)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(markdown))


def _exit_code(report: Report) -> int:
    standings = {model.standing for model in report.models}
    if Standing.FAILED in standings:
        return STEP_FAILED_EXIT
    if standings & {Standing.CANCELED, Standing.SUPERSEDED}:
        return CANCELED_EXIT
    return GATE_MISSED_EXIT if Standing.MISSED in standings else 0
