"""`kill -9` at any instant loses nothing and doubles nothing (invariant 1)."""

from __future__ import annotations

import os
import random
import signal
import time

from bot.ports.store import Kind
from bot.store import SqlStore, open_store
from tests.contracts.store_examples import NOW, a_delivery, later

LIVES = 10
PARTS = 3


def test_what_was_told_as_stored_or_settled_is_so_exactly_once_after_ten_kills(database_url):
    open_store(database_url).close()
    chance = random.Random(20261124)
    told: list[str] = []
    for life in range(LIVES):
        told += words_of_a_child_that_is_killed(database_url, life, after_s=chance.uniform(0.0, 0.15))

    store = open_store(database_url)
    stored = {word.removeprefix("stored ") for word in told if word.startswith("stored ")}
    settled = {word.removeprefix("settled ") for word in told if word.startswith("settled ")}
    with store.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT id, next_check_at IS NULL FROM deliveries").all()
    kept = [row[0] for row in rows]
    done = {row[0] for row in rows if row[1]}

    assert stored
    assert settled
    assert stored <= set(kept)
    assert len(kept) == len(set(kept))
    assert settled <= done
    assert len(done) - len(settled) <= LIVES  # at most the one in hand at each kill was not told
    batches = {name.rpartition("-")[0] for name in kept}
    assert len(kept) == PARTS * len(batches)  # each batch whole
    assert {store.delivery(name) for name in stored} == {a_delivery(name, order_key=name) for name in stored}
    assert not done & claim_all(store)
    store.close()


def claim_all(store: SqlStore) -> set[str]:
    return {claim.id for claim in store.claim(Kind.DELIVERY, limit=100_000, lease_s=60, now=later(3600))}


def words_of_a_child_that_is_killed(url: str, life: int, *, after_s: float) -> list[str]:
    """A fork of this process, so that ten lives cost little; it opens a store of its own. The pause chooses the moment
    of the kill, counted from the child's first word; nothing is waited for by it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        work_until_killed(url, life, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as words:
        first = words.read(1)
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = (first + words.read()).decode().split("\n")
    return [line for line in lines[:-1] if line]  # what follows the last line end was not told in full


def work_until_killed(url: str, life: int, writing: int) -> None:
    def tell(*words: str) -> None:
        os.write(writing, "".join(f"{word}\n" for word in words).encode())

    try:
        store = open_store(url)
        tell("")
        for number in range(1_000_000):
            names = [f"{life}-{number}-{part}" for part in range(PARTS)]
            assert all(store.add_deliveries([a_delivery(name, order_key=name) for name in names]))
            tell(*(f"stored {name}" for name in names))
            for claim in store.claim(Kind.DELIVERY, limit=1, lease_s=60, now=NOW):
                with store.transaction() as tx:
                    tx.settle(claim, next_check_at=None)
                tell(f"settled {claim.id}")
    finally:
        os._exit(1)
