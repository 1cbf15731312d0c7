"""The inbox: deliveries, kept before they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import Connection, Integer, delete, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY

from bot.domain.change import Delivery
from bot.store.columns import short_name
from bot.store.database import insert
from bot.store.rows import planned
from bot.store.tables import DELIVERIES

# An advisory lock is (this class, slot of the order key). A bounded number of slots, since a server has room for
# 64 locks per connection (PostgreSQL documentation, `max_locks_per_transaction`).
ORDER_LOCK_CLASS = 0x6D6C6F70
ORDER_LOCK_SLOTS = 256

PURGE_BATCH = 500


def add(connection: Connection, deliveries: Sequence[Delivery]) -> list[bool]:
    if not deliveries:
        return []
    if connection.dialect.name == "postgresql":
        _lock_orders(connection, {delivery.order_key for delivery in deliveries})
    added = connection.execute(
        insert(connection, DELIVERIES).on_conflict_do_nothing().returning(DELIVERIES.c.id),
        [_values(delivery) for delivery in {delivery.id: delivery for delivery in reversed(deliveries)}.values()][::-1],
    )
    new = set(added.scalars())
    answers = []
    for delivery in deliveries:
        key = short_name(delivery.id)
        answers.append(key in new)
        new.discard(key)
    return answers


def _lock_orders(connection: Connection, order_keys: set[str]) -> None:
    """Sequence numbers are drawn before a commit, so two replicas could commit one order's numbers out of order:
    whoever draws for an order holds its lock until it has committed. Sorted, so that two never wait for each other."""
    slots = sorted(
        {
            int.from_bytes(blake2b(short_name(key).encode(), digest_size=4).digest()) % ORDER_LOCK_SLOTS
            for key in order_keys
        }
    )
    each = func.unnest(literal(slots, ARRAY(Integer))).column_valued("slot")
    connection.execute(select(func.pg_advisory_xact_lock(ORDER_LOCK_CLASS, each))).all()


def _values(delivery: Delivery) -> dict[str, object]:
    return {
        "id": delivery.id,
        "forge": delivery.forge,
        "event": delivery.event,
        "order_key": delivery.order_key,
        "received_at": delivery.received_at,
        "body": delivery.body,
        **planned(delivery.received_at),
    }


def get(connection: Connection, delivery_id: str) -> Delivery | None:
    row = connection.execute(select(DELIVERIES).where(DELIVERIES.c.id == delivery_id)).one_or_none()
    if row is None:
        return None
    return Delivery(
        id=row.id,
        forge=row.forge,
        event=row.event,
        body=row.body,
        order_key=row.order_key,
        received_at=row.received_at,
    )


def purge(connection: Connection, *, older_than: datetime) -> int:
    """Deletes some of the settled deliveries that were received before; 0 when there are no more."""
    old = (
        select(DELIVERIES.c.seq)
        .where(DELIVERIES.c.next_check_at.is_(None), DELIVERIES.c.received_at < older_than)
        .limit(PURGE_BATCH)
    )
    return connection.execute(delete(DELIVERIES).where(DELIVERIES.c.seq.in_(old))).rowcount


def counts(connection: Connection) -> dict[str, int]:
    settled = DELIVERIES.c.next_check_at.is_(None)
    open_count = select(func.count()).select_from(DELIVERIES).where(~settled)
    given_up = select(func.count()).select_from(DELIVERIES).where(settled, DELIVERIES.c.attempts > 0)
    return {
        "delivery/open": connection.execute(open_count).scalar_one(),
        "delivery/given_up": connection.execute(given_up).scalar_one(),
    }
