"""`/deploy`, `/approve`, `/reject` and `/rollback`, as they stand in a comment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from bot.comments.escape import prose
from bot.domain.approval import Approval, Decision
from bot.domain.command import Approve, Deploy, Reject, Rollback
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.errors import UserError
from bot.domain.words import listed, quoted
from bot.usecases.changes import subject_of
from bot.usecases.deployments.approvals import approval_standing, barred_from
from bot.usecases.deployments.looks import GatesMissed
from bot.usecases.deployments.requests import Ask, Asked, ask_deployment, ask_rollback
from bot.usecases.situation import Answer, Situation
from bot.usecases.world import World
from bot.usecases.writes import Writes


def deploy(command: Deploy, situation: Situation, writes: Writes) -> Answer:
    ask = Ask(
        repository=situation.repository,
        change=situation.change,
        environment=command.environment,
        model=command.model,
        by=situation.author,
        trigger=situation.trigger(command),
        is_major=command.is_major,
    )
    try:
        asked = ask_deployment(ask, situation.world)
    except GatesMissed as missed:
        return Answer(prose(f"{missed.problem} {missed.fix}"), is_refusal=True)
    for one in asked:
        take(one, writes, now=situation.world.clock())
    writes.show(subject_of(situation.change))
    return Answer("\n".join(asked_line(one, situation.world) for one in asked))


def rollback(command: Rollback, situation: Situation, writes: Writes) -> Answer:
    ask = Ask(
        repository=situation.repository,
        change=situation.change,
        environment=command.environment,
        model=command.model,
        by=situation.author,
        trigger=situation.trigger(command),
    )
    asked = ask_rollback(ask, command.version, situation.world)
    take(asked, writes, now=situation.world.clock())
    writes.show(subject_of(situation.change))
    return Answer(asked_line(asked, situation.world))


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
    deployment = asked.deployment
    link = f"[`{deployment.id}`]({world.links.deployment(deployment.id)})"
    what = f"{quoted(deployment.model)} to {quoted(deployment.environment)}"
    if not asked.is_new:
        return f"- {what} is on its way already, as {link}."
    pinned = f" at `{deployment.sha[:10]}`" if not deployment.version else f" {quoted(deployment.version)}"
    return f"- {what}{pinned} as {link}: {_next_step(asked)}"


def _next_step(asked: Asked) -> str:
    deployment = asked.deployment
    if deployment.phase is DeploymentPhase.WAITING_FOR_RUN:
        ordered = f"it is being trained first (`{asked.runs[0].id}`)" if asked.runs else "it is still being trained"
        return f"{ordered}, and deployed when its gates are met{_approvals_needed(deployment, also=True)}."
    if deployment.phase is DeploymentPhase.WAITING_FOR_APPROVAL:
        return f"it waits for{_approvals_needed(deployment)}."
    return "it starts now, or as soon as it is its turn."


def _approvals_needed(deployment: Deployment, *, also: bool = False) -> str:
    rule = deployment.rule
    if not rule.approvals:
        return ""
    number = "one approval" if rule.approvals == 1 else f"{rule.approvals} approvals"
    people = f" by {listed(list(rule.approvers))}" if rule.approvers else " by somebody who may write"
    how = f" (`/approve {deployment.environment}`)"
    return f" and it has {number}{people}{how}" if also else f" {number}{people}{how}"


def approve(command: Approve, situation: Situation, writes: Writes) -> Answer:
    answers = []
    for deployment in _waiting(situation, command.environment):
        approval = _decision(deployment, situation, command.line, Decision.APPROVED, "")
        _check_seen(deployment, situation)
        standing = approval_standing(deployment, situation.world, more=[approval])
        if situation.author in standing.refused:
            raise UserError(
                f"{quoted(situation.author)} can not approve {quoted(deployment.environment)}: "
                f"{standing.refused[situation.author]}.",
                _who_may(deployment, situation.world),
            )
        _record(deployment, approval, situation, writes)
        missing = standing.needed - len(standing.counted)
        rest = "it starts now, or as soon as it is its turn" if missing <= 0 else f"{missing} more to go"
        answers.append(
            f"- {quoted(deployment.model)} to {quoted(deployment.environment)}: "
            f"{len(standing.counted)} of {standing.needed} approvals; {rest}."
        )
    return Answer("\n".join(answers))


def reject(command: Reject, situation: Situation, writes: Writes) -> Answer:
    """Whoever may write may reject; the first word is the reason's, where no environment has its name."""
    waiting = _all_waiting(situation)
    environment, reason = command.environment, command.reason
    if environment is not None and all(one.environment != environment for one in waiting):
        environment, reason = None, f"{environment} {reason}".strip()
    answers = []
    for deployment in _waiting(situation, environment):
        rejection = _decision(deployment, situation, command.line, Decision.REJECTED, reason)
        _record(deployment, rejection, situation, writes)
        answers.append(f"- {quoted(deployment.model)} to {quoted(deployment.environment)} is rejected.")
    return Answer("\n".join(answers))


def cancel(model: str | None, situation: Situation, writes: Writes) -> list[Deployment]:
    """Give up the change's deployments that are on their way."""
    change = situation.change
    active = situation.world.store.deployments(
        repository=change.repository, number=change.number, model=model, active=True
    )
    writes.canceled_deployments += [(deployment.id, situation.author) for deployment in active]
    return active


def _decision(deployment: Deployment, situation: Situation, line: int, decision: Decision, reason: str) -> Approval:
    return Approval(
        deployment_id=deployment.id,
        by=situation.author,
        at=situation.world.clock(),
        decision=decision,
        thing=deployment.thing,
        source=f"comment:{situation.comment.id}:{line}",
        reason=reason,
    )


def _record(deployment: Deployment, approval: Approval, situation: Situation, writes: Writes) -> None:
    writes.approvals.append(approval)
    writes.woken_deployments.append(deployment.id)
    writes.show(subject_of(situation.change))


def _check_seen(deployment: Deployment, situation: Situation) -> None:
    """Whoever wrote before the thing changed has looked at another one; forges tell whole seconds."""
    since = deployment.thing_at
    if since is not None and since.replace(microsecond=0) > situation.comment.created_at:
        raise UserError(
            "What would be deployed has changed since this comment was written.",
            "Look at it, then write `/approve` again.",
        )


def _all_waiting(situation: Situation) -> list[Deployment]:
    change = situation.change
    active = situation.world.store.deployments(repository=change.repository, number=change.number, active=True)
    return [one for one in active if one.phase is DeploymentPhase.WAITING_FOR_APPROVAL]


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


def _who_may(deployment: Deployment, world: World) -> str:
    barred = sorted(barred_from(deployment, world))
    names = listed(list(deployment.rule.approvers)) if deployment.rule.approvers else "everybody who may write"
    return prose(f"It may be approved by {names}, but not by {listed(barred)}.") if barred else f"Ask {names}."
