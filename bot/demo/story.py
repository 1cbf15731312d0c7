"""The demo as a story on the terminal: push, watch, read, and how to go on."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from bot import logs
from bot.comments.render import render_comment
from bot.demo import build
from bot.demo.progress import follow_runs
from bot.domain.errors import UserError
from bot.domain.feedback import Subject
from bot.domain.gate import Verdict
from bot.domain.run import Phase, Run
from bot.ports.store import Kind
from bot.service import Service
from bot.settings import Settings
from bot.store.exclusive import FileLock
from bot.usecases.reports import run_report, subject_report

REPOSITORY = "plain/models"
MODELS = ("breast-cancer", "diabetes")
AS_DESIGNED = {"breast-cancer": Verdict.PASSED, "diabetes": Verdict.MISSED}
MADE_BY_THE_BOT = ("bot.sqlite3", "bot.sqlite3-wal", "bot.sqlite3-shm", "artifacts", "engine", "mirrors", "demo")
SAMPLES = ("datasets.git", "models.git")
LONGEST_WAIT_S = 600.0


def tell(settings: Settings, *, stay: bool, reset: bool) -> int:
    """Play the demo. Gives the exit code: 0 when both models trained and the verdicts are as designed."""
    started = time.monotonic()

    def say(words: str) -> None:
        click.echo(f"{time.monotonic() - started:6.1f} s  {words}")

    if reset:
        _reset(settings)
    repositories = settings.home / "repositories"
    made = build.build(settings.home, repositories, say=say)
    service = Service(settings)
    logs.configure(json_lines=settings.log_json, secrets=settings.secret_values, level=logging.WARNING)
    with service.running():
        say(f"the service is at {service.settings.base_url}")
        pushed = build.push_first_commit(made)
        say(_told(pushed, "the first commit to main"))
        first = follow_runs(service, REPOSITORY, pushed.sha, MODELS, say=say, timeout_s=LONGEST_WAIT_S)
        pushed = build.push_change(made)
        say(_told(pushed, f"the branch `{build.BRANCH}`, which changes a hyperparameter of each model"))
        runs = follow_runs(service, REPOSITORY, pushed.sha, MODELS, say=say, timeout_s=LONGEST_WAIT_S)
        good = _as_designed([*first.values()], runs, service, say)
        if not pushed.is_head:
            say(f"`{build.BRANCH}` has newer commits than the demo's own; the change's page shows the newest")
        if not stay:
            click.echo(f"\n{_comment(service, runs)}")
            return 0 if good else 1
        _how_to_go_on(service, runs, made)
        service.wait()
    click.echo("\nstopped; `make demo` goes on from here, `make demo ARGS=--reset` starts anew")
    return 0


def _told(pushed: build.Pushed, what: str) -> str:
    return f"{'pushed' if pushed.is_new else 'an earlier demo pushed'} {what}: {pushed.sha[:10]}"


def _as_designed(first: list[Run], runs: dict[str, Run], service: Service, say: Callable[[str], None]) -> bool:
    good = True
    for run in first:
        if run.phase not in (Phase.SUCCEEDED, Phase.REUSED):
            say(f"not as designed: {run.model} on main is {run.phase}")
            good = False
    for model, expected in AS_DESIGNED.items():
        judgement = run_report(runs[model], service.bot.world).judgement
        verdict = None if judgement is None else judgement.verdict
        if verdict is not expected:
            say(f"not as designed: the verdict on {model} is {verdict}, expected {expected}")
            good = False
    return good


def _comment(service: Service, runs: dict[str, Run]) -> str:
    """The living comment, as soon as it shows all that has ended."""
    world, run = service.bot.world, next(iter(runs.values()))
    assert run.number is not None
    subject = Subject(REPOSITORY, run.number, run.branch, run.sha)
    with world.store.transaction() as tx:  # an earlier demo may have served it at another address
        tx.wake(Kind.FEEDBACK, subject.id, now=world.clock())
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        feedback = world.store.feedback(subject.id)
        limit = world.forge_of(REPOSITORY).capabilities.comment_limit
        expected = feedback and render_comment(subject_report(feedback, world), limit=limit)
        posts = [post for post in service.bot.records.posts(REPOSITORY, run.number) if post.is_bot]
        if posts and posts[0].body == expected:
            return posts[0].body
        time.sleep(0.05)
    raise UserError("The change got no comment within 30 s.", "Look at the log above; this is a defect.")


def _how_to_go_on(service: Service, runs: dict[str, Run], made: build.DemoRepositories) -> None:
    number = next(run.number for run in runs.values())
    assert number is not None
    page = service.bot.world.links.change(REPOSITORY, number)
    click.echo(
        f"""
The change, with its checks, metrics, gates and plots:

    {page}?token={service.settings.access_token}

Go on from here:
  - write `/train breast-cancer n_estimators=400` into the page's comment box, or
        {_command(service)} comment {REPOSITORY} {number} "/train breast-cancer n_estimators=400"
  - change something and push it:
        git clone {made.models} my-models && cd my-models && git switch {build.BRANCH}
        # edit mlops.yaml or models/*/train.py
        git commit -am "Try something" && git push
  - `/help` in a comment lists what else can be asked for

Ctrl-C stops; everything is kept in {service.settings.home}"""
    )


def _command(service: Service) -> str:
    """How to call `mlops-bot` from any folder of another terminal."""
    beside = Path(sys.executable).with_name("mlops-bot")
    command = "mlops-bot" if shutil.which("mlops-bot") or not beside.exists() else shlex.quote(str(beside))
    is_default = "MLOPS_BOT_HOME" not in os.environ
    return command if is_default else f"MLOPS_BOT_HOME={shlex.quote(str(service.settings.home))} {command}"


def _reset(settings: Settings) -> None:
    home = settings.home
    FileLock(home / "bot.sqlite3").release()  # a service that runs there must not lose its files
    repositories = home / "repositories"
    others = (
        sorted(path.name for path in repositories.glob("*") if path.name not in SAMPLES)
        if repositories.exists()
        else []
    )
    if others:
        raise UserError(
            f"{repositories} also holds {', '.join(others)}, so --reset would forget the runs of more than the demo.",
            "Use another home for the demo: MLOPS_BOT_HOME=/tmp/mlops-demo make demo",
        )
    for name in (*MADE_BY_THE_BOT, "repositories"):
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
