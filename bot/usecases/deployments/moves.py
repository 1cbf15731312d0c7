"""One step of a deployment as a value, and how it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.feedback import LedgerEntry, Subject
from bot.ports.store import Claim, Kind, Transaction
from bot.usecases.world import World
from bot.usecases.writes import Writes, apply


@dataclass(frozen=True, slots=True)
class Move:
    """`pause_s` is when the row is looked at again, None for never (unless it is woken)."""

    deployment: Deployment
    pause_s: float | None
    writes: Writes = field(default_factory=Writes)


def ended(deployment: Deployment, phase: DeploymentPhase, words: str, *, now: datetime) -> Move:
    return Move(replace(deployment, phase=phase, words=words, ended_at=now), None)


def store_move(claim: Claim, before: Deployment, move: Move, world: World) -> None:
    now = world.clock()
    after = move.deployment
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None if move.pause_s is None else now + timedelta(seconds=move.pause_s))
        if after != before:
            tx.save_deployment(after)
        apply(move.writes, tx, now=now)
        if after.phase is not before.phase:
            tx.append_ledger(_entry(after, now))
        if after != before:
            tx.wake(Kind.FEEDBACK, feedback_row(after), now=now)
        if not after.phase.is_active:
            _wake_those_behind(after, tx, world, now)


def _wake_those_behind(deployment: Deployment, tx: Transaction, world: World, now: datetime) -> None:
    waiting = world.store.deployments(
        repository=deployment.repository, model=deployment.model, environment=deployment.environment, active=True
    )
    for other in waiting:
        if other.id != deployment.id:
            tx.wake(Kind.DEPLOYMENT, other.id, now=now)


def feedback_row(deployment: Deployment) -> str:
    return Subject(deployment.repository, deployment.number, deployment.branch, deployment.sha).id


def _entry(deployment: Deployment, now: datetime) -> LedgerEntry:
    facts = {
        "model": deployment.model,
        "environment": deployment.environment,
        "version": deployment.version,
        "commit": deployment.sha,
        "digest": deployment.digest,
        "run": deployment.run_id,
        "assignment": deployment.assignment,
        "words": deployment.words,
        "change": "" if deployment.number is None else f"#{deployment.number}",
    }
    return LedgerEntry(
        at=now,
        actor=deployment.cancel_requested_by or deployment.requested_by,
        action=f"deployment_{deployment.phase}",
        repository=deployment.repository,
        subject=deployment.id,
        details={name: value for name, value in facts.items() if value},
    )
