"""Deployments, and the approvals of each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from bot.domain.approval import Approval, Decision
from bot.domain.deployment import ACTIVE_DEPLOYMENT_PHASES, Deployment, DeploymentPhase
from bot.ports.store import Overtaken
from bot.store.database import add_if_new
from bot.store.encode_deployments import decode_deployment, encode_deployment
from bot.store.rows import planned, woken, written
from bot.store.tables import APPROVALS, DEPLOYMENTS

_ACTIVE = sorted(phase.value for phase in ACTIVE_DEPLOYMENT_PHASES)
_NEWEST_FIRST = (DEPLOYMENTS.c.requested_at.desc(), DEPLOYMENTS.c.seq.desc())


def add(connection: Connection, deployment: Deployment, now: datetime) -> bool:
    values = {
        **_values(deployment),
        "id": deployment.id,
        "cancel_requested_by": deployment.cancel_requested_by,
        "forge_id": deployment.forge_id,
        "forge_shown": deployment.forge_shown,
        **planned(now if deployment.phase.is_active else None),
    }
    return add_if_new(connection, DEPLOYMENTS, values)


def save(connection: Connection, deployment: Deployment) -> None:
    """Raises LookupError when there is no such deployment, Overtaken when another one holds the turn."""
    values = {**_values(deployment), **written(DEPLOYMENTS)}
    try:
        saved = connection.execute(update(DEPLOYMENTS).where(DEPLOYMENTS.c.id == deployment.id).values(values))
    except IntegrityError as error:  # the unique index of turns
        raise Overtaken(f"another deployment holds the turn of {deployment.environment}/{deployment.model}") from error
    if saved.rowcount != 1:
        raise LookupError(f"no deployment {deployment.id}")


def request_cancel(connection: Connection, deployment_id: str, *, by: str, now: datetime) -> bool:
    asked_first = and_(
        DEPLOYMENTS.c.id == deployment_id,
        DEPLOYMENTS.c.phase.in_(_ACTIVE),
        DEPLOYMENTS.c.cancel_requested_by.is_(None),
    )
    values = {"cancel_requested_by": by, **woken(DEPLOYMENTS, now)}
    return connection.execute(update(DEPLOYMENTS).where(asked_first).values(values)).rowcount == 1


def save_forge_shown(connection: Connection, deployment_id: str, *, forge_id: str | None, digest: str) -> None:
    """No write that the row's revision counts: it says nothing new to whoever converges the row."""
    values = {"forge_id": forge_id, "forge_shown": digest}
    connection.execute(update(DEPLOYMENTS).where(DEPLOYMENTS.c.id == deployment_id).values(values))


def get(connection: Connection, deployment_id: str) -> Deployment | None:
    return _first(connection, DEPLOYMENTS.c.id == deployment_id)


def of_pipeline_run(connection: Connection, run_id: str) -> Deployment | None:
    return _first(connection, DEPLOYMENTS.c.pipeline_run == run_id)


def find(
    connection: Connection,
    *,
    repository: str | None,
    model: str | None,
    environment: str | None,
    number: int | None,
    active: bool | None,
    phase: DeploymentPhase | None,
    limit: int,
) -> list[Deployment]:
    given = {"repository": repository, "model": model, "environment": environment, "number": number}
    conditions: list[ColumnElement[bool]] = [
        DEPLOYMENTS.c[name] == value for name, value in given.items() if value is not None
    ]
    if active is not None:
        conditions.append(DEPLOYMENTS.c.phase.in_(_ACTIVE) if active else DEPLOYMENTS.c.phase.not_in(_ACTIVE))
    if phase is not None:
        conditions.append(DEPLOYMENTS.c.phase == phase.value)
    rows = connection.execute(select(DEPLOYMENTS).where(*conditions).order_by(*_NEWEST_FIRST).limit(limit))
    return [_deployment(row) for row in rows]


def place_in_line(connection: Connection, deployment: Deployment) -> int:
    """How many of the same place are on their way through it, or wait for their turn since earlier."""
    ahead = or_(
        DEPLOYMENTS.c.phase.in_([DeploymentPhase.REGISTERING.value, DeploymentPhase.DEPLOYING.value]),
        and_(
            DEPLOYMENTS.c.phase == DeploymentPhase.WAITING_FOR_TURN.value,
            DEPLOYMENTS.c.requested_at < deployment.requested_at,
        ),
    )
    same_place = and_(
        DEPLOYMENTS.c.repository == deployment.repository,
        DEPLOYMENTS.c.model == deployment.model,
        DEPLOYMENTS.c.environment == deployment.environment,
        DEPLOYMENTS.c.id != deployment.id,
    )
    return connection.execute(select(func.count()).select_from(DEPLOYMENTS).where(same_place, ahead)).scalar_one()


def counts(connection: Connection) -> dict[str, int]:
    by_phase = connection.execute(select(DEPLOYMENTS.c.phase, func.count()).group_by(DEPLOYMENTS.c.phase))
    return {f"deployment/{phase}": count for phase, count in by_phase}


def add_approval(connection: Connection, approval: Approval) -> bool:
    values = {
        "deployment_id": approval.deployment_id,
        "source": approval.source,
        "person": approval.by,
        "at": approval.at,
        "decision": approval.decision.value,
        "thing": approval.thing,
        "reason": approval.reason,
    }
    return add_if_new(connection, APPROVALS, values)


def approvals(connection: Connection, deployment_id: str) -> list[Approval]:
    """Oldest first."""
    rows = connection.execute(
        select(APPROVALS).where(APPROVALS.c.deployment_id == deployment_id).order_by(APPROVALS.c.seq)
    )
    return [
        Approval(
            deployment_id=row.deployment_id,
            by=row.person,
            at=row.at,
            decision=Decision(row.decision),
            thing=row.thing,
            source=row.source,
            reason=row.reason,
        )
        for row in rows
    ]


def _first(connection: Connection, *conditions: ColumnElement[bool]) -> Deployment | None:
    row = connection.execute(select(DEPLOYMENTS).where(*conditions).order_by(*_NEWEST_FIRST).limit(1)).one_or_none()
    return None if row is None else _deployment(row)


def _values(deployment: Deployment) -> dict[str, Any]:
    """All but the id, and the columns that `request_cancel` and `save_forge_shown` own."""
    return {
        "repository": deployment.repository,
        "model": deployment.model,
        "environment": deployment.environment,
        "number": deployment.number,
        "phase": deployment.phase.value,
        "requested_at": deployment.requested_at,
        "live_at": deployment.live_at,
        "ended_at": deployment.ended_at,
        "pipeline_run": deployment.pipeline_run,
        "details": encode_deployment(deployment),
    }


def _deployment(row: Row[Any]) -> Deployment:
    return Deployment(
        id=row.id,
        repository=row.repository,
        model=row.model,
        environment=row.environment,
        number=row.number,
        phase=DeploymentPhase(row.phase),
        requested_at=row.requested_at,
        live_at=row.live_at,
        ended_at=row.ended_at,
        pipeline_run=row.pipeline_run,
        cancel_requested_by=row.cancel_requested_by,
        forge_id=row.forge_id,
        forge_shown=row.forge_shown,
        **decode_deployment(row.details),
    )
