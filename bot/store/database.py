"""Connections and transactions, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from bot.domain.errors import TransientError, UserError
from bot.store.errors import translated
from bot.store.exclusive import FileLock
from bot.store.turn import Turn

BUSY_TIMEOUT_S = 30.0
STATEMENT_TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 10

_READ_ONLY = "mlops_read_only"


class Database:
    """`name` is for people: the file, or the host and database, never the password."""

    def __init__(self, engine: Engine, name: str, file_lock: FileLock | None = None) -> None:
        self.engine = engine
        self.name = name
        self.is_postgresql = engine.dialect.name == "postgresql"
        self._file_lock = file_lock
        # SQLite has one writer at a time; waiting for a lock of ours is fair and quick, its own busy wait sleeps
        self._turn = None if self.is_postgresql else Turn()
        self._writing_thread = 0
        self._reader = engine.execution_options(**{_READ_ONLY: True})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with translated(self.name), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Connection]:
        """All of it is stored when the block ends, or none. Not to be nested: SQLite has one writer."""
        with translated(self.name), self._my_turn(urgent), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def _my_turn(self, urgent: bool) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if self._writing_thread == get_ident():
            raise RuntimeError("a write inside a write of the same thread would wait for itself")
        if not self._turn.acquire(urgent=urgent, timeout_s=BUSY_TIMEOUT_S):
            raise TransientError(f"The database {self.name} is busy: another write takes very long.")
        self._writing_thread = get_ident()
        try:
            yield
        finally:
            self._writing_thread = 0
            self._turn.release()

    def close(self) -> None:
        self.engine.dispose()
        if self._file_lock:
            self._file_lock.release()


def insert(connection: Connection, table: Table) -> sqlite.Insert:
    """An INSERT with `on_conflict_…`: the two dialects spell it alike, but SQLAlchemy has no common class for it."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)  # type: ignore[return-value]  # same methods, see above
    return sqlite.insert(table)


def add_if_new(connection: Connection, table: Table, values: Mapping[str, object]) -> bool:
    """Whether it was added: no row stood in its way, by its id or anything else that is unique."""
    new = insert(connection, table).on_conflict_do_nothing().values(values)
    return connection.execute(new.returning(*table.primary_key)).first() is not None


def connect(url: str, *, exclusive: bool) -> Database:
    """Raises UserError for an address that can not work, and for a SQLite file that another process holds."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError("MLOPS_BOT_DATABASE_URL is not a database address.", _EXAMPLES) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _sqlite(parsed, exclusive=exclusive)
    if backend in ("postgresql", "postgres"):
        return _postgresql(parsed)
    raise UserError(f"MLOPS_BOT_DATABASE_URL names `{backend}`, which is not supported.", _EXAMPLES)


_EXAMPLES = "Write `sqlite:////var/lib/mlops-bot/bot.db` or `postgresql://user:password@host/database`."


def _sqlite(url: URL, *, exclusive: bool) -> Database:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise UserError("MLOPS_BOT_DATABASE_URL names no file for SQLite.", _EXAMPLES)
    file = Path(url.database).absolute()
    file_lock = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if exclusive:
            file_lock = FileLock(file)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # it holds what people wrote: ours alone
    except OSError as error:
        if file_lock:
            file_lock.release()
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        reason = f"{file.parent} is not a folder" if is_file else error.strerror
        raise UserError(f"The database {file} can not be opened: {reason}.") from error
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_S},
        pool_size=8,
        max_overflow=56,  # a reader costs little; more threads than this the web server does not have
        pool_timeout=BUSY_TIMEOUT_S,
    )
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return Database(engine, str(file), file_lock)


def _set_pragmas(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    """The driver would begin only before the first write, and then as a reader that may not become a writer."""
    read_only = connection.get_execution_options().get(_READ_ONLY)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _postgresql(url: URL) -> Database:
    name = f"{url.database or ''} on {url.host or url.query.get('host', 'the local socket')}"
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "mlops-bot",
                "keepalives_idle": 30,
                "keepalives_interval": 10,
                "keepalives_count": 3,
            },
            pool_size=8,
            max_overflow=24,
            pool_timeout=BUSY_TIMEOUT_S,
            pool_pre_ping=True,  # a server that was restarted is not noticed by anybody
        )
    except ModuleNotFoundError as error:
        raise UserError(
            "PostgreSQL needs the driver psycopg, which is not installed.", "Run `pip install 'mlops-bot[postgres]'`."
        ) from error
    event.listen(engine, "connect", _set_timeouts)
    return Database(engine, name)


def _set_timeouts(connection: Any, _record: Any) -> None:
    """No statement outlives a lease, and a replica that vanished in a transaction does not hold its locks for ever."""
    connection.execute(
        f"SET statement_timeout = '{STATEMENT_TIMEOUT_S}s'; SET lock_timeout = '{BUSY_TIMEOUT_S:.0f}s'; "
        f"SET idle_in_transaction_session_timeout = '{STATEMENT_TIMEOUT_S}s'; SET timezone = 'UTC'"
    )
    connection.commit()
