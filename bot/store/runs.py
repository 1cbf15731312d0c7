"""Runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select, update

from bot.domain.pipeline import DEPLOY
from bot.domain.run import ACTIVE_PHASES, Phase, Run
from bot.store.database import add_if_new
from bot.store.encode import decode_result, decode_run_inputs, encode_result, encode_run_inputs
from bot.store.rows import planned, woken, written
from bot.store.tables import RUNS

_ACTIVE = sorted(phase.value for phase in ACTIVE_PHASES)
_NEWEST_FIRST = (RUNS.c.requested_at.desc(), RUNS.c.seq.desc())
_OLDEST_FIRST = (RUNS.c.requested_at, RUNS.c.seq)
_MEASURES = RUNS.c.pipeline != DEPLOY  # a deployment takes no place, so that it never waits behind training
_IS_STARTED = and_(RUNS.c.phase.in_([Phase.STARTING.value, Phase.RUNNING.value]), _MEASURES)
_WAITS = and_(RUNS.c.phase == Phase.QUEUED.value, RUNS.c.cancel_requested_by.is_(None), _MEASURES)


def add(connection: Connection, run: Run, now: datetime) -> bool:
    values = {
        **_values(run),
        "id": run.id,
        "cancel_requested_by": run.cancel_requested_by,
        "superseded_by": run.superseded_by,
        **planned(None if run.phase.is_final else now),
    }
    return add_if_new(connection, RUNS, values)


def save(connection: Connection, run: Run) -> None:
    """Raises LookupError when there is no such run."""
    values = {**_values(run), **written(RUNS)}
    if connection.execute(update(RUNS).where(RUNS.c.id == run.id).values(values)).rowcount != 1:
        raise LookupError(f"no run {run.id}")


def request_cancel(connection: Connection, run_id: str, *, by: str, superseded_by: str | None, now: datetime) -> bool:
    asked_first = and_(RUNS.c.id == run_id, RUNS.c.phase.in_(_ACTIVE), RUNS.c.cancel_requested_by.is_(None))
    values = {"cancel_requested_by": by, "superseded_by": superseded_by, **woken(RUNS, now)}
    return connection.execute(update(RUNS).where(asked_first).values(values)).rowcount == 1


def get(connection: Connection, run_id: str) -> Run | None:
    return _first(connection, RUNS.c.id == run_id)


def find(
    connection: Connection,
    *,
    repository: str | None,
    number: int | None,
    branch: str | None,
    model: str | None,
    active: bool | None,
    limit: int,
) -> list[Run]:
    conditions: list[ColumnElement[bool]] = [_MEASURES]
    if repository is not None:
        conditions.append(RUNS.c.repository == repository)
    if number is not None:
        conditions.append(RUNS.c.number == number)
    elif branch is not None:
        conditions.append(RUNS.c.number.is_(None))
    if branch is not None:
        conditions.append(RUNS.c.branch == branch)
    if model is not None:
        conditions.append(RUNS.c.model == model)
    if active is not None:
        conditions.append(RUNS.c.phase.in_(_ACTIVE) if active else RUNS.c.phase.not_in(_ACTIVE))
    rows = connection.execute(select(RUNS).where(*conditions).order_by(*_NEWEST_FIRST).limit(limit))
    return [_run(row) for row in rows]


def succeeded(connection: Connection, run_key: str) -> Run | None:
    return _first(connection, RUNS.c.key == run_key, RUNS.c.phase == Phase.SUCCEEDED.value)


def newest_result(connection: Connection, repository: str, *, branch: str, model: str) -> Run | None:
    return _first(
        connection,
        RUNS.c.repository == repository,
        RUNS.c.number.is_(None),
        RUNS.c.branch == branch,
        RUNS.c.model == model,
        RUNS.c.phase.in_([Phase.SUCCEEDED.value, Phase.REUSED.value]),
        RUNS.c.has_metrics,
    )


def queue_position(connection: Connection, run_id: str) -> int | None:
    mine = connection.execute(select(RUNS.c.requested_at, RUNS.c.seq).where(RUNS.c.id == run_id, _WAITS)).one_or_none()
    if mine is None:
        return None
    before = or_(
        RUNS.c.requested_at < mine.requested_at,
        and_(RUNS.c.requested_at == mine.requested_at, RUNS.c.seq < mine.seq),
    )
    return 1 + connection.execute(select(func.count()).select_from(RUNS).where(_WAITS, before)).scalar_one()


def oldest_queued(connection: Connection, limit: int) -> list[str]:
    """In the order in which they start; without those that are asked to end."""
    return list(connection.execute(select(RUNS.c.id).where(_WAITS).order_by(*_OLDEST_FIRST).limit(limit)).scalars())


def started_ids(connection: Connection) -> list[str]:
    return list(connection.execute(select(RUNS.c.id).where(_IS_STARTED).order_by(*_OLDEST_FIRST)).scalars())


def queued_equals(connection: Connection, run_key: str) -> list[str]:
    waiting = select(RUNS.c.id).where(RUNS.c.key == run_key, RUNS.c.phase == Phase.QUEUED.value)
    return list(connection.execute(waiting.order_by(*_OLDEST_FIRST)).scalars())


def is_started(connection: Connection, run_key: str) -> bool:
    return connection.execute(select(RUNS.c.id).where(_IS_STARTED, RUNS.c.key == run_key).limit(1)).first() is not None


def counts(connection: Connection) -> dict[str, int]:
    by_phase = connection.execute(select(RUNS.c.phase, func.count()).group_by(RUNS.c.phase))
    return {f"run/{phase}": count for phase, count in by_phase}


def _first(connection: Connection, *conditions: ColumnElement[bool]) -> Run | None:
    row = connection.execute(select(RUNS).where(*conditions).order_by(*_NEWEST_FIRST).limit(1)).one_or_none()
    return None if row is None else _run(row)


def _values(run: Run) -> dict[str, Any]:
    """All but the id and the two columns that `request_cancel` owns."""
    return {
        "key": run.key,
        "trigger": run.trigger,
        "repository": run.repository,
        "number": run.number,
        "branch": run.branch,
        "model": run.model,
        "pipeline": run.pipeline,
        "sha": run.sha,
        "requested_by": run.requested_by,
        "requested_at": run.requested_at,
        "phase": run.phase.value,
        "inputs": encode_run_inputs(run),
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "result": encode_result(run.result),
        "has_metrics": bool(run.result and run.result.metrics),
        "reused_run": run.reused_run,
        "base_run": run.base_run,
        "production_version": run.production_version,
        "force": run.force,
    }


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        key=row.key,
        trigger=row.trigger,
        repository=row.repository,
        number=row.number,
        branch=row.branch,
        model=row.model,
        pipeline=row.pipeline,
        sha=row.sha,
        requested_by=row.requested_by,
        requested_at=row.requested_at,
        phase=Phase(row.phase),
        started_at=row.started_at,
        ended_at=row.ended_at,
        result=decode_result(row.result),
        reused_run=row.reused_run,
        base_run=row.base_run,
        production_version=row.production_version,
        cancel_requested_by=row.cancel_requested_by,
        superseded_by=row.superseded_by,
        force=row.force,
        **decode_run_inputs(row.inputs),
    )
