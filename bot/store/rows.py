"""What all rows of the loop share: claims, leases, revisions, wake-ups.

Each write counts the revision up and ends the lease, so a worker that claimed the row before can not settle it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    update,
)

from bot.ports.store import Claim, Kind
from bot.store.columns import Moment
from bot.store.tables import DELIVERIES, DEPLOYMENTS, FEEDBACK, REPOSITORIES, RUNS, VERSIONS

TABLES: Mapping[Kind, Table] = {
    Kind.DELIVERY: DELIVERIES,
    Kind.RUN: RUNS,
    Kind.VERSION: VERSIONS,
    Kind.DEPLOYMENT: DEPLOYMENTS,
    Kind.FEEDBACK: FEEDBACK,
    Kind.REPOSITORY: REPOSITORIES,
}

# Behind a long queue of one order key stand many that are not its first. So the oldest this many are looked at
# before all are.
CLAIM_WINDOW = 200

_earlier = DELIVERIES.alias("earlier")
_FIRST_OF_ITS_ORDER = ~exists().where(
    _earlier.c.order_key == DELIVERIES.c.order_key,
    _earlier.c.seq < DELIVERIES.c.seq,
    _earlier.c.next_check_at.is_not(None),
)
"""Of deliveries only the oldest open one of its order key is due. Other kinds have no order."""


def planned(due_at: datetime | None) -> dict[str, Any]:
    """The loop's columns of a new row."""
    return {"next_check_at": due_at, "leased_until": None, "revision": 0, "attempts": 0, "last_error": ""}


def written(table: Table) -> dict[str, Any]:
    """What every write sets besides."""
    return {"revision": table.c.revision + 1, "leased_until": None}


def woken(table: Table, now: datetime) -> dict[str, Any]:
    """Due now, or still since when it was."""
    planned_at = table.c.next_check_at
    return {
        **written(table),
        "next_check_at": case((planned_at < now, planned_at), else_=literal(now, Moment())),
    }


def wake(connection: Connection, kind: Kind, row_id: str, now: datetime) -> bool:
    table = TABLES[kind]
    return connection.execute(update(table).where(table.c.id == row_id).values(woken(table, now))).rowcount > 0


def claim(connection: Connection, kind: Kind, *, limit: int, lease_s: float, now: datetime) -> list[Claim]:
    table = TABLES[kind]
    due = _lock_due(connection, kind, limit, now)
    if due:
        connection.execute(
            update(table)
            .where(table.c.id.in_([row.id for row in due]))
            .values(leased_until=now + timedelta(seconds=lease_s), revision=table.c.revision + 1)
        )
    return [Claim(kind, row.id, row.revision + 1, row.attempts) for row in due]


def _lock_due(connection: Connection, kind: Kind, limit: int, now: datetime) -> Sequence[Any]:
    table = TABLES[kind]
    query = (
        select(table.c.id, table.c.revision, table.c.attempts)
        .where(_due(table, now))
        .order_by(table.c.next_check_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if kind is not Kind.DELIVERY:
        return connection.execute(query).all()
    query = query.where(_FIRST_OF_ITS_ORDER)
    oldest = select(DELIVERIES.c.seq).where(_due(table, now)).order_by(DELIVERIES.c.next_check_at)
    window = oldest.limit(max(CLAIM_WINDOW, limit))
    return connection.execute(query.where(DELIVERIES.c.seq.in_(window))).all() or connection.execute(query).all()


def settle(connection: Connection, claim: Claim, *, own_writes: int, next_check_at: datetime | None) -> bool:
    """False when somebody else wrote the row since it was claimed; `own_writes` are those of this transaction."""
    table = TABLES[claim.kind]
    return _fenced(
        connection,
        claim,
        own_writes,
        {**written(table), "next_check_at": next_check_at, "attempts": 0, "last_error": ""},
    )


def fail(connection: Connection, claim: Claim, *, error: str, next_check_at: datetime | None) -> bool:
    table = TABLES[claim.kind]
    return _fenced(
        connection,
        claim,
        0,
        {
            **written(table),
            "next_check_at": next_check_at,
            "attempts": table.c.attempts + 1,
            "last_error": error,
        },
    )


def _fenced(connection: Connection, claim: Claim, own_writes: int, values: Mapping[str, Any]) -> bool:
    table = TABLES[claim.kind]
    unchanged = and_(table.c.id == claim.id, table.c.revision == claim.revision + own_writes)
    return connection.execute(update(table).where(unchanged).values(values)).rowcount == 1


def next_due_at(connection: Connection, kind: Kind) -> datetime | None:
    table = TABLES[kind]
    free = _earliest(kind).where(table.c.next_check_at.is_not(None), table.c.leased_until.is_(None))
    later = case((table.c.leased_until > table.c.next_check_at, table.c.leased_until), else_=table.c.next_check_at)
    leased = select(func.min(later)).where(table.c.leased_until.is_not(None), table.c.next_check_at.is_not(None))
    found = [connection.execute(query).scalar() for query in (free, leased)]
    return min((moment for moment in found if moment is not None), default=None)


def oldest_due_at(connection: Connection, kind: Kind, now: datetime) -> datetime | None:
    table = TABLES[kind]
    moment: datetime | None = connection.execute(_earliest(kind).where(_due(table, now))).scalar()
    return moment


def end_all_leases(connection: Connection) -> None:
    """For the only process of a database, as it starts: whoever held a lease is gone."""
    for table in TABLES.values():
        connection.execute(update(table).where(table.c.leased_until.is_not(None)).values(written(table)))


def _due(table: Table, now: datetime) -> ColumnElement[bool]:
    return and_(
        table.c.next_check_at <= now,
        or_(table.c.leased_until.is_(None), table.c.leased_until <= now),
    )


def _earliest(kind: Kind) -> Select[Any]:
    planned_at = TABLES[kind].c.next_check_at
    query = select(planned_at).order_by(planned_at).limit(1)
    return query.where(_FIRST_OF_ITS_ORDER) if kind is Kind.DELIVERY else query
