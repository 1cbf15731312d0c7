"""Hints between replicas, through PostgreSQL's NOTIFY: they save waiting, and may be lost without harm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import Connection, func, select

from bot.domain.errors import TransientError
from bot.ports.store import Kind
from bot.store.database import Database
from bot.store.errors import translated

log = structlog.get_logger()

CHANNEL = "mlops_bot_due"
LISTEN_SLICE_S = 0.5  # how soon a listener sees that it should stop
RECONNECT_AFTER_S = 1.0


class Hints:
    """`give` is called with the kinds of rows that another replica made due, in a thread of ours."""

    def __init__(self, database: Database, give: Callable[[Iterable[Kind]], None]) -> None:
        self._database = database
        self._give = give
        self._sender = uuid4().hex
        self._stopping = Event()
        self._thread: Thread | None = None

    def send(self, connection: Connection, kinds: Iterable[Kind]) -> None:
        """Sent when the transaction commits."""
        names = ",".join(sorted(kinds))
        if names and self._database.is_postgresql:
            connection.execute(select(func.pg_notify(CHANNEL, f"{self._sender} {names}")))

    def listen(self) -> None:
        """Starts the thread, where the database can have other replicas."""
        if self._database.is_postgresql and self._thread is None:
            self._thread = Thread(target=self._run, name="store-hints", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with translated(self._database.name):
                    self._follow()
            except TransientError as error:
                log.warning("hints_interrupted", problem=error.problem)
                self._stopping.wait(RECONNECT_AFTER_S)

    def _follow(self) -> None:
        import psycopg

        with self._database.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            connection.detach()  # for good: it does not take a place of the pool
            driver.autocommit = True
            try:
                driver.execute(f"LISTEN {CHANNEL}")
                self._give(Kind)  # what was said while nobody listened
                while not self._stopping.is_set():
                    for notification in driver.notifies(timeout=LISTEN_SLICE_S):
                        self._hear(notification.payload)
            except psycopg.OperationalError as error:
                raise TransientError(f"The database {self._database.name} was lost.") from error

    def _hear(self, payload: str) -> None:
        sender, _, names = payload.partition(" ")
        if sender != self._sender:
            known = {kind.value for kind in Kind}
            self._give([Kind(name) for name in names.split(",") if name in known])
