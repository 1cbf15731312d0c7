"""Waivers, and the ledger: who did what, when, to what. Rows are added, never changed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, or_, select
from sqlalchemy import insert as plain_insert

from bot.domain.feedback import LedgerEntry, Waiver
from bot.store.encode import decode_details, encode_details
from bot.store.tables import LEDGER, WAIVERS


def add_waiver(connection: Connection, waiver: Waiver) -> None:
    connection.execute(
        plain_insert(WAIVERS).values(
            repository=waiver.repository,
            number=waiver.number,
            model=waiver.model,
            gate=waiver.gate,
            reason=waiver.reason,
            granted_by=waiver.granted_by,
            granted_at=waiver.granted_at,
            expires_at=waiver.expires_at,
        )
    )


def waivers(connection: Connection, repository: str, number: int, now: datetime) -> list[Waiver]:
    """Oldest first."""
    valid = select(WAIVERS).where(
        WAIVERS.c.repository == repository, WAIVERS.c.number == number, WAIVERS.c.expires_at > now
    )
    return [
        Waiver(
            repository=row.repository,
            number=row.number,
            model=row.model,
            gate=row.gate,
            reason=row.reason,
            granted_by=row.granted_by,
            granted_at=row.granted_at,
            expires_at=row.expires_at,
        )
        for row in connection.execute(valid.order_by(WAIVERS.c.seq))
    ]


def append(connection: Connection, entry: LedgerEntry) -> None:
    connection.execute(
        plain_insert(LEDGER).values(
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            repository=entry.repository,
            subject=entry.subject,
            details=encode_details(entry.details),
        )
    )


@dataclass(frozen=True, slots=True)
class About:
    """What entries are to be about; None does not filter."""

    repository: str | None = None
    model: str | None = None
    environment: str | None = None


def entries(
    connection: Connection, about: About, *, before: int | None, since: int | None, limit: int
) -> list[LedgerEntry]:
    """Newest first; with `since`, oldest first."""
    query = _about(about)
    if before is not None:
        query = query.where(LEDGER.c.seq < before)
    order = LEDGER.c.seq.desc()
    if since is not None:
        query, order = query.where(LEDGER.c.seq > since), LEDGER.c.seq.asc()
    return [_entry(row) for row in connection.execute(query.order_by(order).limit(limit))]


def _about(about: About) -> Select[Any]:
    query = select(LEDGER)
    if about.repository is not None:
        query = query.where(LEDGER.c.repository == about.repository)
    if about.model is not None:
        query = query.where(or_(LEDGER.c.subject == about.model, _has_detail("model", about.model)))
    if about.environment is not None:
        query = query.where(_has_detail("environment", about.environment))
    return query


def _has_detail(name: str, value: str) -> ColumnElement[bool]:
    """Whether the details, which are JSON text, hold it: no value can hold the like, for its quotes are escaped. In
    words that both databases know, and that take care of case, which LIKE does not."""
    member = json.dumps({name: value}, separators=(",", ":"))[1:-1]  # as `encode.close_document` writes it
    return func.replace(LEDGER.c.details, member, "") != LEDGER.c.details


def _entry(row: Row[Any]) -> LedgerEntry:
    return LedgerEntry(
        at=row.at,
        actor=row.actor,
        action=row.action,
        repository=row.repository,
        subject=row.subject,
        details=decode_details(row.details),
        seq=row.seq,
    )
