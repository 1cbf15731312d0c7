"""Waivers, and the ledger: who did what, when, to what. Rows are added, never changed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select
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


def entries(connection: Connection, *, repository: str | None, limit: int) -> list[LedgerEntry]:
    """Newest first."""
    query = select(LEDGER)
    if repository is not None:
        query = query.where(LEDGER.c.repository == repository)
    return [
        LedgerEntry(
            at=row.at,
            actor=row.actor,
            action=row.action,
            repository=row.repository,
            subject=row.subject,
            details=decode_details(row.details),
        )
        for row in connection.execute(query.order_by(LEDGER.c.seq.desc()).limit(limit))
    ]
