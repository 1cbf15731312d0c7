"""One process, one file: what happens when it is taken, full, locked, or the process is killed."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from bot.domain.change import Delivery
from bot.domain.errors import TransientError, UserError
from bot.ports.store import Kind
from bot.store import SqlStore, open_store

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def a_delivery(delivery_id: str, body: bytes = b"{}") -> Delivery:
    return Delivery(delivery_id, "plain", "push", body, delivery_id, NOW)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


def open_file(file: Path) -> SqlStore:
    return open_store(f"sqlite:///{file}")


def test_a_second_process_is_refused_by_name_of_the_file_until_the_first_one_is_gone(file):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, f"sqlite:///{file}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"

    with pytest.raises(UserError) as refused:
        open_file(file)
    holder.kill()
    holder.communicate(timeout=30)

    assert refused.value.problem == f"The database {file} is in use by another mlops-bot (process {holder.pid})."
    assert (
        refused.value.fix
        == "SQLite serves one process: stop the other one, or use PostgreSQL (MLOPS_BOT_DATABASE_URL)."
    )
    open_file(file).close()


HOLD = """
import sys
from bot.store import open_store
store = open_store(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_in_one_process_too_a_file_is_opened_once_and_again_after_it_was_closed(file):
    store = open_file(file)
    with pytest.raises(UserError, match="in use"):
        open_file(file)

    looks_in = open_store(f"sqlite:///{file}", exclusive=False)
    looks_in.ping()
    looks_in.close()
    store.close()
    open_file(file).close()


def test_a_new_file_is_for_its_owner_alone_and_its_folder_is_made(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/new/deep/bot.db")

    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "new/deep").glob("bot.db*")}
    assert modes == dict.fromkeys(("bot.db", "bot.db.lock", "bot.db-wal", "bot.db-shm"), "0o600")
    store.close()


def test_every_commit_reaches_the_disk(file):
    store = open_file(file)

    with store.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    store.close()


def test_the_leases_of_a_process_that_is_gone_end_with_the_next_start(file):
    store = open_file(file)
    store.add_deliveries([a_delivery("d1")])
    (lost,) = store.claim(Kind.DELIVERY, limit=1, lease_s=3600, now=NOW)
    store.close()

    store = open_file(file)
    (claim,) = store.claim(Kind.DELIVERY, limit=1, lease_s=3600, now=NOW)

    assert claim.id == lost.id
    assert claim.revision > lost.revision
    store.close()


def test_a_full_disk_is_said_and_nothing_is_half_written(file):
    store = open_file(file)
    store.add_deliveries([a_delivery("before")])
    store.database.engine.dispose()

    @event.listens_for(store.database.engine, "connect")
    def limit_size(connection, _record):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(TransientError) as failed:
        store.add_deliveries([a_delivery("small"), a_delivery("large", b"x" * 1_000_000)])

    assert failed.value.problem == (
        f"The database {file} can not be written: the disk is full. Free some space; nothing is lost meanwhile."
    )
    assert failed.value.retry_after_s == 30
    assert store.counts()["delivery/open"] == 1
    event.remove(store.database.engine, "connect", limit_size)
    store.database.engine.dispose()
    assert store.add_deliveries([a_delivery("before"), a_delivery("small")]) == [False, True]
    store.close()


def test_a_file_that_another_program_locks_is_said_and_works_again_afterwards(file):
    store = open_file(file)
    store.database.engine.dispose()

    @event.listens_for(store.database.engine, "connect")
    def wait_less(connection, _record):
        connection.execute("PRAGMA busy_timeout = 20")

    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientError) as failed:
            store.add_deliveries([a_delivery("d1")])
        assert store.delivery("d1") is None  # readers go on
        other.execute("ROLLBACK")

    assert failed.value.problem == f"The database {file} is locked by another program."
    assert store.add_deliveries([a_delivery("d1")]) == [True]
    store.close()


def test_a_mistake_of_ours_is_not_taken_for_a_passing_fault(file):
    store = open_file(file)

    with pytest.raises(Exception, match="no such table") as raised, store.database.read() as connection:
        connection.exec_driver_sql("SELECT * FROM missing")

    assert not isinstance(raised.value, TransientError)
    store.close()


def test_a_folder_that_can_not_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(UserError) as refused:
        open_store(f"sqlite:///{tmp_path}/file/bot.db")

    assert (
        refused.value.problem
        == f"The database {tmp_path}/file/bot.db can not be opened: {tmp_path}/file is not a folder."
    )


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("sqlite://", "MLOPS_BOT_DATABASE_URL names no file for SQLite."),
        ("sqlite:///:memory:", "MLOPS_BOT_DATABASE_URL names no file for SQLite."),
        ("mysql://host/db", "MLOPS_BOT_DATABASE_URL names `mysql`, which is not supported."),
        ("user:secret@host", "MLOPS_BOT_DATABASE_URL is not a database address."),
        ("", "MLOPS_BOT_DATABASE_URL is not a database address."),
    ],
)
def test_an_address_that_can_not_work_is_refused_with_one_that_could(url, problem):
    with pytest.raises(UserError) as refused:
        open_store(url)

    assert refused.value.problem == problem
    assert refused.value.fix == (
        "Write `sqlite:////var/lib/mlops-bot/bot.db` or `postgresql://user:password@host/database`."
    )


def test_a_write_inside_a_write_is_refused_at_once(file):
    store = open_file(file)

    with pytest.raises(RuntimeError, match="wait for itself"), store.transaction():
        store.add_deliveries([a_delivery("d1")])

    assert store.add_deliveries([a_delivery("d1")]) == [True]
    store.close()
