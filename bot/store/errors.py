"""What a database says of itself, as errors of ours: only what may pass by itself becomes a TransientError."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bot.domain.errors import TransientError

# SQLite's primary result codes (sqlite.org/rescode.html)
_SQLITE = {
    sqlite3.SQLITE_BUSY: "is locked by another program.",
    sqlite3.SQLITE_LOCKED: "is locked by another program.",
    sqlite3.SQLITE_FULL: "can not be written: the disk is full. Free some space; nothing is lost meanwhile.",
    sqlite3.SQLITE_IOERR: "can not be read or written: its disk reports an error.",
    sqlite3.SQLITE_READONLY: "can not be written: the file or its folder is read-only.",
    sqlite3.SQLITE_CANTOPEN: "can not be opened: the file or its folder is missing or not ours to read.",
    sqlite3.SQLITE_NOMEM: "can not be used: the machine is out of memory.",
    sqlite3.SQLITE_INTERRUPT: "was interrupted.",
    sqlite3.SQLITE_PROTOCOL: "is locked by another program.",
}

# Beginnings of PostgreSQL's SQLSTATE codes (documentation, appendix A)
_POSTGRESQL = {
    "53100": "can not be written: its disk is full. Free some space; nothing is lost meanwhile.",
    "53": "has no resources left (memory or connections).",
    "57014": "took too long to answer.",
    "57": "is shutting down or starting.",
    "08": "can not be reached.",
    "40": "had two writers in each other's way.",
    "55P03": "is locked by another program.",
    "25006": "is read-only: this is a standby server.",
}


@contextmanager
def translated(database_name: str) -> Iterator[None]:
    """Raises TransientError in place of a database error that may pass by itself."""
    try:
        yield
    except PoolTimeoutError as error:
        raise TransientError(f"The database {database_name} is busy: all connections to it are in use.") from error
    except DBAPIError as error:
        words = _words(error)
        if words is None:
            raise
        full = "disk is full" in words
        raise TransientError(f"The database {database_name} {words}", retry_after_s=30 if full else 5) from error


def _words(error: DBAPIError) -> str | None:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)  # absent where Python itself refused
        return None if code is None else _SQLITE.get(code & 0xFF)
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return next((words for prefix, words in _POSTGRESQL.items() if state.startswith(prefix)), None)
    return "can not be reached." if error.connection_invalidated or _is_operational(cause) else None


def _is_operational(cause: BaseException | None) -> bool:
    """psycopg gives no SQLSTATE when it never got a connection, or lost it; PEP 249 fixes the class's name."""
    return any(kind.__name__ == "OperationalError" for kind in type(cause).__mro__)
