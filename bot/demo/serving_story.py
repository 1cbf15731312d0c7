"""From a good result to a served model: staging, production after an approval, a second version, and back again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bot.demo import build
from bot.demo.deployments import Deployments, seconds_to_live
from bot.demo.predictions import predict, terminal_line
from bot.demo.progress import follow_runs
from bot.demo.stage import DEPLOYED, LONGEST_WAIT_S, LOOK_EVERY_S, REPOSITORY, NotAsDesigned, Stage
from bot.domain.change import Change, ChangeState
from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase

APPROVER = "grace"
LIVE, REPLACED = DeploymentPhase.LIVE, DeploymentPhase.REPLACED
WAITING = DeploymentPhase.WAITING_FOR_APPROVAL


@dataclass(frozen=True, slots=True)
class Deployed:
    """Of the demo's change: what is in staging, and what is in production or waits for approval to it."""

    change: Change
    staging: Deployment
    production: Deployment


def deploy(number: int, sha: str, stage: Stage, deployments: Deployments) -> Deployed | None:
    """Up to the approval. None when people have gone on with the change; raises NotAsDesigned."""
    change = stage.service.bot.store.change(REPOSITORY, number)
    assert change is not None
    if change.state is not ChangeState.OPEN or change.head_sha != sha:
        what = f"is {change.state}" if change.state is not ChangeState.OPEN else "has newer commits than the demo's own"
        stage.say(f"change {number} {what}, so the demo deploys nothing")
        return None
    return Deployed(
        change,
        _deployed(change, "staging", stage, deployments),
        _deployed(change, "production", stage, deployments, WAITING),
    )


def approve(deployed: Deployed, stage: Stage, deployments: Deployments) -> Deployment:
    """Production, live."""
    if deployed.production.phase is not WAITING:
        return deployed.production
    stage.comment(deployed.change.number, APPROVER, "/approve production")
    return deployments.follow(deployed.production, LIVE)


def show_prediction(environment: str, stage: Stage, deployments: Deployments) -> None:
    """Of what is live there. Raises NotAsDesigned when it is not what evaluation predicted."""
    live = deployments.live(environment)
    prediction = predict(live, stage)
    stage.say(f"{environment:<14} {prediction.words}")
    if prediction.answer != prediction.expected:
        raise NotAsDesigned(f"{environment} predicts otherwise than evaluation did")


def deploy_another(made: build.DemoRepositories, stage: Stage, deployments: Deployments) -> Deployment:
    """A second change's version, in staging; an earlier demo may have rolled it back already."""
    pushed = build.push_second_change(made)
    whose = "pushed" if pushed.is_new else "an earlier demo pushed"
    stage.say(f"{whose} the branch `{build.SECOND_BRANCH}`, for a second version: {pushed.sha[:10]}")
    runs = follow_runs(stage.service, REPOSITORY, pushed.sha, [DEPLOYED], say=stage.say, timeout_s=LONGEST_WAIT_S)
    number = runs[DEPLOYED].number
    change = stage.service.bot.store.change(REPOSITORY, number) if number is not None else None
    assert change is not None
    return _deployed(change, "staging", stage, deployments)


def roll_back(change: Change, second: Deployment, deployments: Deployments) -> Deployment | None:
    """Staging as it was before `second`; None when that is so already."""
    if second.phase is REPLACED:
        return None
    asked = deployments.on_its_way("staging", DeploymentKind.ROLLBACK)
    command = f"/rollback staging {DEPLOYED}"
    back = deployments.follow(asked or deployments.ask(change, change.author, command, "staging"), LIVE)
    if back.version == second.version:
        raise NotAsDesigned(f"staging serves {back.version} after the rollback, as before")
    return back


def took_words(*live: Deployment | None) -> str:
    told = [
        f"{one.version} {'back ' if one.kind is DeploymentKind.ROLLBACK else ''}"
        f"in {one.environment} {seconds_to_live(one):.1f} s"
        for one in live
        if one is not None
    ]
    return f"from request or approval to live: {', '.join(told)}"


def watch(stage: Stage, deployments: Deployments) -> None:
    """Until Ctrl-C, tell what becomes of deployments, and how to ask what is live now."""
    while not stage.service.is_stopping:
        for live in deployments.tell_news():
            stage.say(f"{live.environment:<14} ask it for a prediction, in another terminal:")
            stage.show(f"\n    {terminal_line(live, stage)}\n")
        time.sleep(LOOK_EVERY_S)


def _deployed(
    change: Change, environment: str, stage: Stage, deployments: Deployments, *also: DeploymentPhase
) -> Deployment:
    """Asked for, unless it was before, and followed until it is live or in one of the phases `also`."""
    known = deployments.of_change(change, environment)
    if known is not None and deployments.asks_elsewhere(known):
        stage.say(f"{environment:<14} an earlier demo, at another address, has left it half-way")
        stage.comment(change.number, change.author, f"/cancel {DEPLOYED}")
        deployments.follow(known, DeploymentPhase.CANCELED)
        known = None
    if known is None:
        asked = deployments.ask(change, change.author, f"/deploy {environment} {DEPLOYED}", environment)
        return deployments.follow(asked, LIVE, *also)
    if known.phase.is_active:
        stage.say(f"{environment:<14} an earlier demo has asked for it already")
        return deployments.follow(known, LIVE, *also)
    if known.phase is REPLACED:
        stage.say(f"{environment:<14} an earlier demo has deployed {known.version}; it was replaced since")
        return known
    deployments.live(environment)
    stage.say(f"{environment:<14} {known.version} is live already, and its model server answers")
    return known
