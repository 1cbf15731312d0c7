"""The demo as a story on the terminal: push, watch, deploy, read, and how to go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import click

from bot import logs
from bot.comments.render import render_comment
from bot.demo import build, ending
from bot.demo.deployments import Deployments
from bot.demo.going_on import show_how_to_go_on
from bot.demo.progress import follow_runs
from bot.demo.serving_story import (
    approve,
    deploy,
    deploy_another,
    roll_back,
    show_prediction,
    took_words,
    watch,
)
from bot.demo.stage import LONGEST_WAIT_S, MODELS, REPOSITORY, NotAsDesigned, Stage
from bot.domain.errors import UserError
from bot.domain.feedback import Subject
from bot.domain.gate import Verdict
from bot.domain.run import Phase, Run
from bot.ports.store import Kind
from bot.service import Service
from bot.settings import Settings
from bot.usecases.reports import run_report, subject_report

AS_DESIGNED = {"breast-cancer": Verdict.PASSED, "diabetes": Verdict.MISSED}


def tell(settings: Settings, *, stay: bool, reset: bool) -> int:
    """Play the demo. Gives the exit code: 0 when all came out as designed."""
    started_s = time.monotonic()

    def say(words: str) -> None:
        click.echo(f"{time.monotonic() - started_s:6.1f} s  {words}")

    if reset:
        ending.reset(settings)
    made = build.build(settings.home, settings.home / "repositories", say=say)
    service = Service(settings)
    logs.configure(json_lines=settings.log_json, secrets=settings.secret_values, level=logging.WARNING)
    stage = Stage(service, say)
    comment = ""
    good = True
    try:
        with service.running():
            say(f"the service is at {service.settings.base_url}")
            trained = _train(made, stage)
            if stay:
                _deploy_and_stay(trained, made, stage)
            else:
                good = _play_to_the_end(trained, made, stage)
                comment = _comment(trained, stage)
    finally:
        ending.end_servers(service.bot.serving, say)
    if stay:
        click.echo("\nstopped; `make demo` goes on from here, `make demo ARGS=--reset` starts anew")
    else:
        click.echo(f"\n{comment}")
    return 0 if good else 1


@dataclass(frozen=True, slots=True)
class Trained:
    """The runs of the demo's change, whose number it is; `good`: all runs and verdicts are as designed."""

    runs: Mapping[str, Run]
    number: int
    sha: str
    good: bool


def _train(made: build.DemoRepositories, stage: Stage) -> Trained:
    pushed = build.push_first_commit(made)
    stage.say(_told(pushed, "the first commit to main"))
    first = follow_runs(stage.service, REPOSITORY, pushed.sha, MODELS, say=stage.say, timeout_s=LONGEST_WAIT_S)
    pushed = build.push_change(made)
    stage.say(_told(pushed, f"the branch `{build.BRANCH}`, which changes a hyperparameter of each model"))
    runs = follow_runs(stage.service, REPOSITORY, pushed.sha, MODELS, say=stage.say, timeout_s=LONGEST_WAIT_S)
    good = _as_designed([*first.values()], runs, stage)
    number = next(run.number for run in runs.values())
    assert number is not None
    return Trained(runs, number, pushed.sha, good)


def _play_to_the_end(trained: Trained, made: build.DemoRepositories, stage: Stage) -> bool:
    """Whether all was as designed."""
    deployments = Deployments(stage)
    try:
        deployed = deploy(trained.number, trained.sha, stage, deployments)
        if deployed is None:
            return trained.good
        production = approve(deployed, stage, deployments)
        show_prediction("production", stage, deployments)
        second = deploy_another(made, stage, deployments)
        back = roll_back(deployed.change, second, deployments)
        stage.say(took_words(deployed.staging, production, second, back))
    except NotAsDesigned as otherwise:
        stage.say(f"not as designed: {otherwise}")
        return False
    return trained.good


def _deploy_and_stay(trained: Trained, made: build.DemoRepositories, stage: Stage) -> None:
    deployments = Deployments(stage)
    try:
        deployed = deploy(trained.number, trained.sha, stage, deployments)
    except NotAsDesigned as otherwise:
        stage.say(f"not as designed: {otherwise}")
        deployed = None
    show_how_to_go_on(trained.number, deployed, made, stage)
    watch(stage, deployments)


def _told(pushed: build.Pushed, what: str) -> str:
    return f"{'pushed' if pushed.is_new else 'an earlier demo pushed'} {what}: {pushed.sha[:10]}"


def _as_designed(first: list[Run], runs: Mapping[str, Run], stage: Stage) -> bool:
    good = True
    for run in first:
        if run.phase not in (Phase.SUCCEEDED, Phase.REUSED):
            stage.say(f"not as designed: {run.model} on main is {run.phase}")
            good = False
    for model, expected in AS_DESIGNED.items():
        judgement = run_report(runs[model], stage.service.bot.world).judgement
        verdict = None if judgement is None else judgement.verdict
        if verdict is not expected:
            stage.say(f"not as designed: the verdict on {model} is {verdict}, expected {expected}")
            good = False
    return good


def _comment(trained: Trained, stage: Stage) -> str:
    """The living comment, as soon as it shows all that has ended."""
    world, run = stage.service.bot.world, next(iter(trained.runs.values()))
    assert run.number is not None
    subject = Subject(REPOSITORY, run.number, run.branch, run.sha)
    with world.store.transaction() as tx:  # an earlier demo may have served it at another address
        tx.wake(Kind.FEEDBACK, subject.id, now=world.clock())
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        feedback = world.store.feedback(subject.id)
        limit = world.forge_of(REPOSITORY).capabilities.comment_limit
        expected = feedback and render_comment(subject_report(feedback, world), limit=limit)
        posts = [post for post in stage.service.bot.records.posts(REPOSITORY, run.number) if post.is_bot]
        if posts and posts[0].body == expected:
            return posts[0].body
        time.sleep(0.05)
    raise UserError("The change got no comment within 30 s.", "Look at the log above; this is a defect.")
