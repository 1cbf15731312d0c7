"""`/deploy`, `/approve`, `/reject` and `/rollback`, as they stand in a comment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.comments.answers import render_deploy_answer, render_gate_refusal
from bot.domain.command import Approve, Deploy, Reject, Rollback
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.errors import UserError
from bot.domain.words import listed, quoted
from bot.usecases.changes import subject_of
from bot.usecases.deployments.decisions import Voice, approve_one, reject_one, waiting_for_approval
from bot.usecases.deployments.lines import deployment_line
from bot.usecases.deployments.looks import GatesMissed
from bot.usecases.deployments.requests import Ask, Asked, ask_deployment, ask_rollback
from bot.usecases.situation import Answer, Situation
from bot.usecases.world import World
from bot.usecases.writes import Writes


def deploy(command: Deploy, situation: Situation, writes: Writes) -> Answer:
    ask = replace(_ask(command, situation), is_major=command.is_major)
    try:
        asked = ask_deployment(ask, situation.world)
    except GatesMissed as missed:
        return Answer(_refusal(missed, command.environment, situation), is_refusal=True)
    for one in asked:
        take(one, writes, now=situation.world.clock())
    writes.show(subject_of(situation.change))
    return Answer("\n".join(asked_line(one, situation.world) for one in asked))


def rollback(command: Rollback, situation: Situation, writes: Writes) -> Answer:
    asked = ask_rollback(_ask(command, situation), command.version, situation.world)
    take(asked, writes, now=situation.world.clock())
    writes.show(subject_of(situation.change))
    return Answer(asked_line(asked, situation.world))


def _ask(command: Deploy | Rollback, situation: Situation) -> Ask:
    return Ask(
        repository=situation.repository,
        change=situation.change,
        environment=command.environment,
        model=command.model,
        by=situation.author,
        trigger=situation.trigger(command),
    )


def take(asked: Asked, writes: Writes, *, now: datetime) -> None:
    """A newer request takes the place of those that still wait."""
    if not asked.is_new:
        return
    writes.runs += asked.runs
    writes.deployments.append(asked.deployment)
    words = "A newer request of this change took its place."
    writes.ended_deployments += [
        replace(other, phase=DeploymentPhase.SUPERSEDED, words=words, ended_at=now) for other in asked.superseded
    ]


def asked_line(asked: Asked, world: World) -> str:
    return render_deploy_answer(
        deployment_line(asked.deployment, world),
        links=world.links,
        is_new=asked.is_new,
        waits_for_run=asked.runs[0].id if asked.runs else "",
        superseded=len(asked.superseded),
    )


def _refusal(missed: GatesMissed, environment: str, situation: Situation) -> str:
    world = situation.world
    return render_gate_refusal(
        missed.judgement,
        model=missed.run.model,
        environment=environment,
        run_id=missed.run.id,
        links=world.links,
        overriders=world.policy_of(situation.change.repository).override_by or (),
    )


def approve(command: Approve, situation: Situation, writes: Writes) -> Answer:
    waiting = _waiting(situation, command.environment)
    lines = [approve_one(one, _voice(situation, command.line), writes, situation.world) for one in waiting]
    return Answer("\n".join(lines))


def reject(command: Reject, situation: Situation, writes: Writes) -> Answer:
    """Whoever may write may reject; the first word is the reason's, where no environment has its name."""
    waiting = _all_waiting(situation)
    environment, reason = command.environment, command.reason
    if environment is not None and all(one.environment != environment for one in waiting):
        environment, reason = None, f"{environment} {reason}".strip()
    chosen = _waiting(situation, environment)
    voice = _voice(situation, command.line)
    return Answer("\n".join(reject_one(one, voice, reason, writes, situation.world) for one in chosen))


def _voice(situation: Situation, line: int) -> Voice:
    source = f"comment:{situation.comment.id}:{line}"
    return Voice(situation.author, source, said_at=situation.comment.created_at)


def cancel(model: str | None, situation: Situation, writes: Writes) -> list[Deployment]:
    """Give up the change's deployments that are on their way."""
    change = situation.change
    active = situation.world.store.deployments(
        repository=change.repository, number=change.number, model=model, active=True
    )
    writes.canceled_deployments += [(deployment.id, situation.author) for deployment in active]
    return active


def _all_waiting(situation: Situation) -> list[Deployment]:
    change = situation.change
    return waiting_for_approval(situation.world, repository=change.repository, number=change.number)


def _waiting(situation: Situation, environment: str | None) -> list[Deployment]:
    """Raises UserError when none waits, or when it has to be said which."""
    waiting = _all_waiting(situation)
    chosen = [one for one in waiting if environment in (None, one.environment)]
    environments = sorted({one.environment for one in chosen})
    if len(environments) > 1:
        raise UserError("Several wait.", f"Say which: {listed(environments)}.")
    if chosen:
        return chosen
    if waiting:
        names = listed(sorted({one.environment for one in waiting}))
        raise UserError(f"Nothing waits for {quoted(environment or '')}.", f"What waits is for {names}.")
    raise UserError("No deployment of this change waits for approval.", "`/deploy <environment>` asks for one.")
