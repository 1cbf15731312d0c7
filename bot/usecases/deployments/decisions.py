"""One person lets a waiting deployment pass, or refuses it: in a comment, or by a button."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bot.domain.approval import Approval, Decision
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.errors import UserError
from bot.domain.feedback import LedgerEntry, Subject
from bot.domain.words import listed, quoted
from bot.usecases.deployments.approvals import approval_standing, barred_from
from bot.usecases.world import World
from bot.usecases.writes import Writes


@dataclass(frozen=True, slots=True)
class Voice:
    """Who decides. `source` is unique for what was said; `said_at` may be of whole seconds."""

    by: str
    source: str
    said_at: datetime


def approve_one(deployment: Deployment, voice: Voice, writes: Writes, world: World) -> str:
    """Gives a line of the answer. Raises UserError for somebody who may not, and for what they have not seen."""
    _check_seen(deployment, voice)
    approval = _approval(deployment, voice, Decision.APPROVED, "", world)
    standing = approval_standing(deployment, world, more=[approval])
    if voice.by in standing.refused:
        raise UserError(
            f"{quoted(voice.by)} can not approve {quoted(deployment.environment)}: {standing.refused[voice.by]}.",
            _who_may(deployment, world),
        )
    _record(deployment, approval, writes, world)
    missing = standing.needed - len(standing.counted)
    rest = "it starts now, or as soon as it is its turn" if missing <= 0 else f"{missing} more to go"
    counted = f"{len(standing.counted)} of {standing.needed} approvals"
    what = f"commit `{deployment.sha[:10]}`, model `{deployment.digest[:19]}`"
    return f"- {quoted(deployment.model)} to {quoted(deployment.environment)} ({what}): {counted}; {rest}."


def reject_one(deployment: Deployment, voice: Voice, reason: str, writes: Writes, world: World) -> str:
    _record(deployment, _approval(deployment, voice, Decision.REJECTED, reason, world), writes, world)
    return f"- {quoted(deployment.model)} to {quoted(deployment.environment)} is rejected."


def waiting_for_approval(
    world: World, *, repository: str, number: int | None = None, model: str | None = None
) -> list[Deployment]:
    active = world.store.deployments(repository=repository, number=number, model=model, active=True)
    return [one for one in active if one.phase is DeploymentPhase.WAITING_FOR_APPROVAL]


def _approval(deployment: Deployment, voice: Voice, decision: Decision, reason: str, world: World) -> Approval:
    return Approval(
        deployment_id=deployment.id,
        by=voice.by,
        at=world.clock(),
        decision=decision,
        thing=deployment.thing,
        source=voice.source,
        reason=reason,
    )


def _record(deployment: Deployment, approval: Approval, writes: Writes, world: World) -> None:
    writes.approvals.append(approval)
    writes.woken_deployments.append(deployment.id)
    change = None
    if deployment.number is not None:
        change = world.store.change(deployment.repository, deployment.number)
    if change is not None:  # of a merged change, what is deployed is another commit than its head
        writes.show(Subject(change.repository, change.number, change.source_branch, change.head_sha))
    facts = {
        "model": deployment.model,
        "environment": deployment.environment,
        "commit": deployment.sha,
        "digest": deployment.digest,
        "thing": approval.thing,
        "source": approval.source,
        "reason": approval.reason,
    }
    writes.ledger.append(
        LedgerEntry(
            at=world.clock(),
            actor=approval.by,
            action=f"deployment_{approval.decision}_by",
            repository=deployment.repository,
            subject=deployment.id,
            details={name: value for name, value in facts.items() if value},
        )
    )


def _check_seen(deployment: Deployment, voice: Voice) -> None:
    """Whoever spoke before the thing changed has looked at another one; forges tell whole seconds."""
    since = deployment.thing_at
    if since is not None and since.replace(microsecond=0) > voice.said_at:
        raise UserError(
            "What would be deployed has changed since this was written.", "Look at it, then approve it again."
        )


def _who_may(deployment: Deployment, world: World) -> str:
    barred = sorted(barred_from(deployment, world))
    names = listed(list(deployment.rule.approvers)) if deployment.rule.approvers else "everybody who may write"
    return f"It may be approved by {names}, but not by {listed(barred)}." if barred else f"Ask {names}."
