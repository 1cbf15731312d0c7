"""Many threads, and on PostgreSQL many replicas, agree on who does what (invariant 1)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.ports.store import Kind
from bot.store import SqlPlainRecords, SqlStore, open_store
from tests.contracts.store_examples import NOW, a_change, a_delivery, a_run

THREADS = 4


@pytest.fixture
def replicas(store: SqlStore, database_url: str) -> Iterator[list[SqlStore]]:
    """A store per thread: the same one on SQLite, two replicas in turn on PostgreSQL."""
    if not store.database.is_postgresql:
        yield [store] * THREADS
        return
    other = open_store(database_url)
    yield [store, other] * (THREADS // 2)
    other.close()


def at_once(replicas: list[SqlStore], work: Callable[[int, SqlStore], object]) -> list[object]:
    """Runs `work` in a thread per store, all let go at the same moment."""
    gate = threading.Barrier(len(replicas))

    def wait_and_work(number: int, store: SqlStore) -> object:
        gate.wait(timeout=30)
        return work(number, store)

    with ThreadPoolExecutor(len(replicas)) as pool:
        return list(pool.map(wait_and_work, range(len(replicas)), replicas))


def test_a_row_is_claimed_by_one_thread_only(replicas):
    with replicas[0].transaction() as tx:
        for number in range(120):
            tx.add_run(a_run(f"run-{number}"), now=NOW)
    seen: Counter[str] = Counter()

    def claim_all(_number: int, store: SqlStore) -> None:
        while claims := store.claim(Kind.RUN, limit=7, lease_s=60, now=NOW):
            seen.update(claim.id for claim in claims)

    at_once(replicas, claim_all)

    # a replica that finds rows locked passes over them, so the last ones may stay for the next look
    claim_all(0, replicas[0])
    assert seen == Counter(f"run-{number}" for number in range(120))


def test_deliveries_of_one_order_are_handled_one_after_the_other_in_their_order(replicas):
    replicas[0].add_deliveries(
        [a_delivery(f"{order}{number}", order_key=order) for number in range(15) for order in "abc"]
    )
    handled: list[str] = []
    in_hand: Counter[str] = Counter()

    def work(_number: int, store: SqlStore) -> None:
        while len(handled) < 45:
            for claim in store.claim(Kind.DELIVERY, limit=2, lease_s=60, now=NOW):
                order = claim.id[0]
                in_hand[order] += 1
                assert in_hand[order] == 1
                handled.append(claim.id)
                in_hand[order] -= 1
                with store.transaction() as tx:
                    tx.settle(claim, next_check_at=None)

    at_once(replicas, work)

    for order in "abc":
        assert [name for name in handled if name[0] == order] == [f"{order}{number}" for number in range(15)]


def test_the_same_deliveries_arriving_everywhere_at_once_are_stored_once(replicas):
    deliveries = [a_delivery(f"d{number}", order_key=f"o{number % 7}") for number in range(50)]

    answers = at_once(
        replicas, lambda number, store: store.add_deliveries(deliveries if number % 2 else deliveries[::-1])
    )

    assert sum(sum(answer) for answer in answers) == 50
    assert replicas[0].counts()["delivery/open"] == 50


def test_sequence_numbers_of_one_order_become_visible_in_their_order(replicas):
    """Were they not, a later delivery could be claimed while an earlier one is still being committed."""
    stop = threading.Event()
    problems: list[str] = []

    def watch(store: SqlStore) -> None:
        highest = 0
        while not stop.is_set():
            with store.database.read() as connection:
                rows = connection.exec_driver_sql("SELECT seq FROM deliveries ORDER BY seq").scalars().all()
            fresh = [seq for seq in rows if seq > highest]
            if len(fresh) + known[0] != len(rows):
                problems.append(f"a number below {highest} appeared late")
            highest, known[0] = max([highest, *fresh]), len(rows)

    known = [0]
    watcher = threading.Thread(target=watch, args=(replicas[-1],))
    watcher.start()

    def add(number: int, store: SqlStore) -> None:
        for turn in range(25):
            store.add_deliveries([a_delivery(f"d{number}-{turn}-{part}") for part in range(3)])

    at_once(replicas, add)
    stop.set()
    watcher.join()

    assert problems == []
    assert replicas[0].counts()["delivery/open"] == THREADS * 75


def test_a_run_asked_for_everywhere_at_once_is_added_once(replicas):
    def add(_number: int, store: SqlStore) -> bool:
        with store.transaction() as tx:
            return tx.add_run(a_run("run-1"), now=NOW)

    assert sorted(at_once(replicas, add)) == [False] * (THREADS - 1) + [True]


def test_one_branch_pushed_twice_at_once_opens_one_change(replicas):
    def push(number: int, store: SqlStore) -> object:
        records = SqlPlainRecords(store.database)
        mine = records.add_change(a_change(0, source_branch="trees", author=f"author-{number}"))
        other = records.add_change(a_change(0, source_branch=f"own-{number}"))
        return mine, other.number

    answers = at_once(replicas, push)

    assert len({change for change, _ in answers}) == 1
    numbers = [answers[0][0].number, *(number for _, number in answers)]
    assert sorted(numbers) == [1, 2, 3, 4, 5]


def test_replicas_that_start_at_once_migrate_once(empty_database_url):
    if empty_database_url.startswith("sqlite"):
        stores = [open_store(empty_database_url)]
    else:
        with ThreadPoolExecutor(THREADS) as pool:
            stores = list(pool.map(open_store, [empty_database_url] * THREADS))

    for store in stores:
        assert store.add_deliveries([a_delivery("d1")]) == [store is stores[0]]
        store.close()
