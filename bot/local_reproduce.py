"""Train a registered version again in a clone of its repository, and say whether it comes out the same."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path

import click

from bot import logs
from bot.domain.report_words import shown_number
from bot.domain.reproduction import Reproduction, compare
from bot.domain.run import Phase, Run
from bot.domain.version import VersionLock
from bot.domain.words import plain
from bot.local_run import CANCELED_EXIT, STEP_FAILED_EXIT, follow
from bot.settings import Settings
from bot.usecases.reproduce import locked_version, order_reproduction
from bot.usecases.writes import Writes, apply
from bot.wiring.worktree import LocalBot, build_local

DIFFERENT_EXIT = 1
SHORT_DIGEST = 19  # characters: `sha256:` and twelve more
LOG_LINES = 20
LOG_LINE_LIMIT = 240  # characters
WORDS_LIMIT = 1000


def reproduce_here(folder: Path, name: str, settings: Settings, *, as_json: bool = False) -> int:
    """Gives the exit code. Raises UserError for what the user can mend before anything runs."""
    logs.configure(json_lines=settings.log_json, secrets=settings.secret_values, level=logging.WARNING)
    with build_local(settings, folder) as bot:
        lock = locked_version(bot.repository, name, bot.registry)
        run = _order(bot, lock)
        (ended,) = follow(bot, [run.id])
    if ended.phase is not Phase.SUCCEEDED or ended.result is None:
        return _not_ended_well(ended)
    found = compare(lock, ended.result)
    click.echo(_as_json(lock, ended, found) if as_json else _words(lock, ended, found), nl=False)
    return 0 if found.is_equal else DIFFERENT_EXIT


def _order(bot: LocalBot, lock: VersionLock) -> Run:
    world = bot.world
    trigger = f"reproduce:{world.clock().isoformat()}"
    run = order_reproduction(bot.repository, lock, world, by=bot.change.author, trigger=trigger)
    with world.store.transaction() as tx:
        apply(Writes(repositories=[bot.repository], runs=[run]), tx, now=world.clock())
    click.echo(f"training {lock.tag} again at {lock.sha[:10]}{_data_words(lock)}", err=True)
    return run


def _data_words(lock: VersionLock) -> str:
    return f", with {lock.data_path} at {lock.data_sha[:10]}" if lock.data_sha else ""


def _not_ended_well(run: Run) -> int:
    failure = run.result.failure if run.result is not None else None
    if run.phase is Phase.CANCELED:
        click.echo("It was canceled, so nothing is known.", err=True)
        return CANCELED_EXIT
    if failure is None:
        click.echo(f"It is {run.phase}, so nothing is known.", err=True)
        return STEP_FAILED_EXIT
    click.echo(f"It failed at {failure.step}: {plain(failure.message, limit=WORDS_LIMIT)}", err=True)
    if failure.fix:
        click.echo(f"  fix: {failure.fix}", err=True)
    steps = run.result.steps if run.result is not None else ()
    for line in next((step.log_tail for step in steps if step.name == failure.step), ())[-LOG_LINES:]:
        click.echo(f"  | {plain(line, limit=LOG_LINE_LIMIT)}", err=True)
    return STEP_FAILED_EXIT


def _words(lock: VersionLock, run: Run, found: Reproduction) -> str:
    _show_table(lock, found)
    lines = [_verdict(lock, found)]
    if run.result is not None and run.result.pipeline_version != lock.pipeline_version:
        lines.append("It was made by another version of the pipeline than this mlops-bot has.")
    return "\n".join(lines) + "\n"


def _show_table(lock: VersionLock, found: Reproduction) -> None:
    rows = [(pair.name, _number(pair.locked), _number(pair.now), pair.words) for pair in found.metrics]
    same = "equal" if found.is_same_model else "differs"
    rows.append(("model digest", found.locked_digest[:SHORT_DIGEST], found.digest[:SHORT_DIGEST], same))
    head = ("", lock.tag, "now", "")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _number(value: float | None) -> str:
    return "–" if value is None else shown_number(value)


def _verdict(lock: VersionLock, found: Reproduction) -> str:
    if not found.metrics:
        return f"{lock.tag} has no metrics, so there is nothing to compare."
    if not found.is_equal:
        return f"{lock.tag} came out differently."
    if found.is_same_model:
        return f"{lock.tag} came out the same, to the byte."
    return f"{lock.tag} came out with the same metrics. The model's files differ: some libraries write times into them."


def _as_json(lock: VersionLock, run: Run, found: Reproduction) -> str:
    metrics = [{**asdict(pair), "is_equal": pair.is_equal} for pair in found.metrics]
    document = {
        "version": lock.tag,
        "is_equal": found.is_equal,
        "is_same_model": found.is_same_model,
        "metrics": metrics,
        "locked_digest": found.locked_digest,
        "digest": found.digest,
        "run": run.id,
    }
    return json.dumps(document, indent=2) + "\n"
