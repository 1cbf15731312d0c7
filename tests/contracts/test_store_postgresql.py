"""What only a server with replicas has: hints from one another, lost connections, a server that is away."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, Queue

import psycopg
import pytest

from bot.domain.errors import TransientError
from bot.ports.store import Kind
from bot.store import SqlStore, open_store
from tests.contracts.store_examples import NOW, a_delivery, a_run

DEADLINE_S = 30.0


@pytest.fixture
def replica(postgresql_url: str) -> Iterator[SqlStore]:
    opened = open_store(postgresql_url)
    yield opened
    opened.close()


@pytest.fixture
def listener(postgresql_url: str) -> Iterator[tuple[SqlStore, Queue[Kind]]]:
    """A replica that listens, and what it hears after it has begun to."""
    heard: Queue[Kind] = Queue()
    opened = open_store(postgresql_url)
    opened.on_commit_due = heard.put
    opened.listen()
    assert hear_all(heard) == set(Kind)
    yield opened, heard
    opened.close()


def hear_all(heard: Queue[Kind]) -> set[Kind]:
    """A listener that (re)connects looks at everything, since it may have missed anything."""
    return {heard.get(timeout=DEADLINE_S) for _ in Kind}


def cut_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_replica_hears_what_another_one_made_due_and_nothing_of_itself(replica, listener):
    store, heard = listener

    replica.add_deliveries([a_delivery("d1")])
    assert heard.get(timeout=DEADLINE_S) is Kind.DELIVERY

    store.add_deliveries([a_delivery("d2")])
    assert heard.get(timeout=DEADLINE_S) is Kind.DELIVERY  # at once, by its own commit
    with replica.transaction() as tx:
        tx.add_run(a_run("run-1"), now=NOW)
    assert heard.get(timeout=DEADLINE_S) is Kind.RUN  # nothing came in between
    with pytest.raises(Empty):
        heard.get_nowait()


def test_a_listener_that_lost_its_connection_listens_again(replica, listener, postgresql_url):
    _, heard = listener

    cut_connections(postgresql_url)

    assert hear_all(heard) == set(Kind)
    replica.add_deliveries([a_delivery("d1")])
    assert heard.get(timeout=DEADLINE_S) is Kind.DELIVERY


def test_connections_that_were_cut_are_made_anew_without_a_word(replica, postgresql_url):
    replica.add_deliveries([a_delivery("d1")])

    cut_connections(postgresql_url)

    assert replica.add_deliveries([a_delivery("d1"), a_delivery("d2")]) == [False, True]


def test_a_connection_cut_in_a_transaction_is_a_passing_fault_and_stores_nothing(replica, postgresql_url):
    with pytest.raises(TransientError) as failed, replica.transaction() as tx:  # noqa: PT012 - the whole transaction is the point
        tx.add_run(a_run("run-1"), now=NOW)
        cut_connections(postgresql_url)
        tx.add_run(a_run("run-2"), now=NOW)

    assert failed.value.problem == f"The database {replica.database.name} is shutting down or starting."
    assert replica.runs() == []


def test_a_server_that_is_away_is_a_passing_fault_that_names_it_without_the_password(tmp_path):
    with pytest.raises(TransientError) as failed:
        open_store(f"postgresql://bot:s3cret@/mlops?host={tmp_path}")

    assert failed.value.problem == f"The database mlops on {tmp_path} can not be reached."


def test_a_mistake_of_ours_is_not_taken_for_a_passing_fault(replica):
    with pytest.raises(Exception, match="does not exist") as raised, replica.database.read() as connection:
        connection.exec_driver_sql("SELECT * FROM missing")

    assert not isinstance(raised.value, TransientError)


def test_a_session_that_waits_too_long_gives_up(replica):
    with replica.database.read() as connection:
        limits = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        ]

    assert limits == ["1min", "30s", "1min"]


def test_a_name_is_held_by_one_replica_at_a_time_and_by_none_that_has_vanished(
    postgresql_url: str, replica: SqlStore
) -> None:
    other = open_store(postgresql_url)
    with replica.turn("subject:plain/models#1"):
        with pytest.raises(TransientError, match="Another replica is at subject:plain/models#1"):
            other.turn("subject:plain/models#1").__enter__()
        with other.turn("subject:plain/models#2"):
            pass
    with other.turn("subject:plain/models#1"):
        pass
    with pytest.raises(TransientError), replica.turn("subject:plain/models#1"):
        cut_connections(postgresql_url)
    with other.turn("subject:plain/models#1"):
        pass
    other.close()
