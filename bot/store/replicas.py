"""One at a time among replicas of one PostgreSQL: a name is held by the session that does something in its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from bot.domain.errors import TransientError
from bot.store.database import Database
from bot.store.errors import translated

LOCKS = 0x6D6C6F70  # the first of two numbers, so that no other lock of the database is meant
RETRY_S = 0.5


@contextmanager
def held(database: Database, name: str) -> Iterator[None]:
    """Raises TransientError while another session holds the name. SQLite has one process, which sees to it itself.

    A session that vanishes lets go by that, so nothing is held for ever.
    """
    if not database.is_postgresql:
        yield
        return
    with translated(database.name), database.engine.connect() as pooled:
        connection = pooled.execution_options(isolation_level="AUTOCOMMIT")  # no transaction stays open meanwhile
        numbers = {"locks": LOCKS, "name": name}
        asked = text("SELECT pg_try_advisory_lock(:locks, hashtext(:name))")
        if not connection.execute(asked, numbers).scalar_one():
            raise TransientError(f"Another replica is at {name}.", retry_after_s=RETRY_S)
        try:
            yield
        finally:
            try:
                connection.execute(text("SELECT pg_advisory_unlock(:locks, hashtext(:name))"), numbers)
            except BaseException:
                connection.invalidate()  # it must not come back from the pool with the lock
                raise
