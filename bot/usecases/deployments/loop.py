"""Converge a deployment: approved, its turn, registered, deployed, live. Each step may be repeated at any time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import structlog

from bot.domain.approval import Decision
from bot.domain.change import ChangeState
from bot.domain.deployment import EXPIRES_AFTER, Deployment, DeploymentKind, DeploymentPhase
from bot.domain.errors import TransientError, UserError
from bot.domain.version import VersionPhase
from bot.ports.store import Claim, Overtaken
from bot.usecases.deployments.approvals import approval_standing, rejection_of
from bot.usecases.deployments.looks import NotYet, look_at, place_of_deployment, why_void, with_candidate
from bot.usecases.deployments.moves import Move, ended, store_move
from bot.usecases.deployments.pipeline import deploy_run
from bot.usecases.deployments.serving import give_back, is_assigned, take_over
from bot.usecases.deployments.versions import version_of_deployment
from bot.usecases.world import World
from bot.usecases.writes import Cancel, Writes

log = structlog.get_logger()

LOOK_AGAIN_S = 3600.0  # a safety net: events, ends of runs and ends of other deployments wake a row
WORK_LOOK_S = 30.0

WAITING = (DeploymentPhase.WAITING_FOR_RUN, DeploymentPhase.WAITING_FOR_APPROVAL, DeploymentPhase.WAITING_FOR_TURN)


def deployment_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    return [partial(_converge, claim, world) for claim in claims]


def give_up(claim: Claim, error: str, world: World) -> None:
    """End a deployment that failed too often to converge; what served before serves on."""
    deployment = world.store.deployment(claim.id)
    if deployment is None or not deployment.phase.is_active:
        return
    give_back(deployment, world)
    words = f"mlops-bot could not drive this deployment: {error} It is not your fault; `/deploy` again."
    store_move(claim, deployment, ended(deployment, DeploymentPhase.FAILED, words, now=world.clock()), world)


def _converge(claim: Claim, world: World) -> None:
    deployment = world.store.deployment(claim.id)
    if deployment is None or not deployment.phase.is_active:
        with world.store.transaction() as tx:
            tx.settle(claim, next_check_at=None)
        return
    move = _end_early(deployment, world) or STEPS[deployment.phase](deployment, world)
    try:
        store_move(claim, deployment, move, world)
    except Overtaken as error:  # another one took the turn at the same instant
        raise TransientError(str(error), retry_after_s=0.5) from error


def _end_early(deployment: Deployment, world: World) -> Move | None:
    """While it waits, a deployment is simply ended; one that is on its way ends with its pipeline."""
    if deployment.phase is DeploymentPhase.DEPLOYING:
        return None
    now = world.clock()
    if deployment.cancel_requested_by is not None:
        return ended(deployment, DeploymentPhase.CANCELED, f"Given up by {deployment.cancel_requested_by}.", now=now)
    if now - deployment.requested_at > EXPIRES_AFTER:
        return ended(deployment, DeploymentPhase.EXPIRED, "Nobody let it pass for 14 days.", now=now)
    if deployment.number is not None and deployment.phase in WAITING:
        change = world.store.change(deployment.repository, deployment.number)
        if change is not None and change.state is ChangeState.CLOSED:
            return ended(deployment, DeploymentPhase.CANCELED, "The change was closed.", now=now)
    return None


def _wait(deployment: Deployment, world: World) -> Move:
    """For its run, then for approval, then for its turn: all looked at anew each time."""
    now = world.clock()
    if deployment.kind is DeploymentKind.ROLLBACK or deployment.version_id:  # a version that is registered already
        return _take_turn(deployment, world)
    try:
        place, _change = place_of_deployment(deployment, world)
        found = look_at(place, deployment.model, deployment.environment, world)
    except UserError as error:
        return ended(deployment, DeploymentPhase.FAILED, f"{error.problem} {error.fix}".strip(), now=now)
    if isinstance(found, NotYet):
        return Move(_waiting_for_run(deployment, place.head.subject.sha, found, world), LOOK_AGAIN_S)
    looked_at = with_candidate(deployment, found)
    if looked_at.thing != deployment.thing:
        looked_at = replace(looked_at, thing_at=now, voided=_voided(deployment, looked_at, world))
    return _ask(looked_at, world)


def _waiting_for_run(deployment: Deployment, sha: str, found: NotYet, world: World) -> Deployment:
    """What was approved so far was something else: it is forgotten together with what it was given for."""
    waiting = replace(
        deployment,
        phase=DeploymentPhase.WAITING_FOR_RUN,
        sha=sha,
        rule=found.rule,
        words="" if found.run is None else f"It waits for {found.run.id}.",
    )
    if sha == deployment.sha or not deployment.thing:
        return waiting
    return replace(waiting, thing="", voided=_voided(deployment, waiting, world))


def _voided(before: Deployment, after: Deployment, world: World) -> str:
    was_approved = any(one.decision is Decision.APPROVED for one in world.store.approvals(before.id))
    return why_void(before, after) if was_approved and before.thing else before.voided


def _ask(deployment: Deployment, world: World) -> Move:
    rejection = rejection_of(deployment, world)
    if rejection is not None:
        words = f"Rejected by {rejection.by}" + (f": {rejection.reason}" if rejection.reason else ".")
        return ended(deployment, DeploymentPhase.REJECTED, words, now=world.clock())
    if not approval_standing(deployment, world).is_given:
        words = _words_for_approvers(deployment, world)
        waiting = replace(deployment, phase=DeploymentPhase.WAITING_FOR_APPROVAL, approved_at=None, words=words)
        return Move(waiting, LOOK_AGAIN_S)
    approved_at = deployment.approved_at or (world.clock() if deployment.rule.approvals else None)
    return _take_turn(replace(deployment, approved_at=approved_at, words="", voided=""), world)


def _words_for_approvers(deployment: Deployment, world: World) -> str:
    """What they must not overlook: that it is not what was asked for any more, and that it has failed elsewhere."""
    words = []
    if deployment.asked_sha and deployment.asked_sha != deployment.sha:
        words.append(f"It was asked for at `{deployment.asked_sha[:10]}` and has followed to `{deployment.sha[:10]}`.")
    failed = world.store.deployments(
        repository=deployment.repository, model=deployment.model, phase=DeploymentPhase.FAILED
    )
    same = next((one for one in failed if one.digest == deployment.digest), None)
    if same is not None:
        words.append(f"This very model has failed in `{same.environment}`: {same.words}")
    return " ".join(words)


def _take_turn(deployment: Deployment, world: World) -> Move:
    if world.store.place_in_line(deployment):
        return Move(replace(deployment, phase=DeploymentPhase.WAITING_FOR_TURN), LOOK_AGAIN_S)
    started = replace(deployment, phase=DeploymentPhase.REGISTERING, started_at=world.clock())
    return Move(started, 0.0)


def _register(deployment: Deployment, world: World) -> Move:
    version = version_of_deployment(deployment, world)
    known = world.store.version(version.id)
    named = replace(deployment, version_id=version.id)
    if known is None:
        return Move(named, LOOK_AGAIN_S, Writes(versions=[version]))
    if known.phase is not VersionPhase.REGISTERED and not deployment.version_id:  # this request has not tried yet
        return Move(named, LOOK_AGAIN_S, Writes(wanted_again=[known]))
    if known.phase is VersionPhase.WANTED:
        return Move(named, LOOK_AGAIN_S)
    if known.phase is not VersionPhase.REGISTERED:
        problem = known.problem or "its tag is gone"
        return ended(named, DeploymentPhase.FAILED, f"It could not be registered: {problem}", now=world.clock())
    run = deploy_run(replace(named, version=str(known.lock.number)), known, world)
    moved = replace(
        named,
        phase=DeploymentPhase.DEPLOYING,
        version=str(known.lock.number),
        digest=known.lock.model_digest,
        pipeline_run=run.id,
        words="",
    )
    return Move(moved, WORK_LOOK_S, Writes(runs=[run]))


def _deploy(deployment: Deployment, world: World) -> Move:
    run = world.store.run(deployment.pipeline_run)
    assert run is not None
    if not run.phase.is_final:
        if deployment.cancel_requested_by is None or run.cancel_requested_by is not None:
            return Move(deployment, WORK_LOOK_S)
        cancel = Cancel(run.id, by=deployment.cancel_requested_by)
        return Move(deployment, WORK_LOOK_S, Writes(cancels=[cancel]))
    now = world.clock()
    if is_assigned(deployment, world):  # whatever became of the pipeline after that
        return _live(deployment, world)
    give_back(deployment, world)
    failure = run.result.failure if run.result is not None else None
    problem = f"{failure.message} {failure.fix}".strip() if failure is not None else "The pipeline did not end well."
    if deployment.cancel_requested_by is not None:
        return ended(deployment, DeploymentPhase.CANCELED, f"Given up by {deployment.cancel_requested_by}.", now=now)
    return ended(deployment, DeploymentPhase.FAILED, problem, now=now)


def _live(deployment: Deployment, world: World) -> Move:
    now = world.clock()
    take_over(deployment, world)
    former = world.store.deployments(
        repository=deployment.repository,
        model=deployment.model,
        environment=deployment.environment,
        phase=DeploymentPhase.LIVE,
    )
    replaced = [replace(one, phase=DeploymentPhase.REPLACED, ended_at=now) for one in former if one.id != deployment.id]
    live = replace(
        deployment,
        phase=DeploymentPhase.LIVE,
        live_at=now,
        replaces=replaced[0].id if replaced else "",
        assignment=is_assigned(deployment, world),
        words="",
    )
    log.info("deployment_live", deployment=live.id, version=live.version, environment=live.environment)
    return Move(live, None, Writes(ended_deployments=replaced))


STEPS: Mapping[DeploymentPhase, Callable[[Deployment, World], Move]] = {
    **dict.fromkeys(WAITING, _wait),
    DeploymentPhase.REGISTERING: _register,
    DeploymentPhase.DEPLOYING: _deploy,
}
