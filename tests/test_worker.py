"""The loop: what is due is converged, what fails is tried again or given up, and no thread dies in silence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import TransientError, UserError
from bot.domain.feedback import Reaction, Reply
from bot.ports.store import Claim, Kind, LeaseLost
from bot.store import SqlStore, open_store
from bot.worker import LONGEST_BACKOFF_S, MAX_ATTEMPTS, Chore, Lane, Worker

DEADLINE_S = 20.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    opened = open_store(f"sqlite:///{tmp_path}/bot.db")
    yield opened
    opened.close()


def now() -> datetime:
    return datetime.now(UTC)


def add(store: SqlStore, *names: str) -> None:
    with store.transaction() as tx:
        for name in names:
            tx.add_reply(Reply(f"reply:{name}", "plain/models", 1, name, Reaction.DONE, "words"), now=now())


def settle(store: SqlStore, claim: Claim) -> None:
    with store.transaction() as tx:
        tx.settle(claim, next_check_at=None)


class Rows:
    """A lane whose work is given, which notes what it did. `given_up` holds ids and problems."""

    def __init__(
        self, store: SqlStore, work: Callable[[Claim], object], *, patience: int = 3, threads: int = 1
    ) -> None:
        self.store = store
        self.work = work
        self.given_up: list[tuple[str, str]] = []
        self.lane = Lane(Kind.FEEDBACK, self.tasks, self.give_up, threads=threads, batch=10, patience=patience)

    def tasks(self, claims: Sequence[Claim]) -> Sequence[Callable[[], None]]:
        return [partial(self._do, claim) for claim in claims]

    def _do(self, claim: Claim) -> None:
        self.work(claim)

    def give_up(self, claim: Claim, problem: str) -> None:
        self.given_up.append((claim.id, problem))
        settle(self.store, claim)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def turn(store: SqlStore, rows: Rows, attempts: int = 0) -> None:
    """One look at one row that has failed some times, without threads."""
    worker = Worker(store, [rows.lane], now)
    (claim,) = store.claim(Kind.FEEDBACK, limit=1, lease_s=60, now=now())
    worker._converge(rows.lane, [Claim(claim.kind, claim.id, claim.revision, attempts)])


def paused_s(store: SqlStore) -> float:
    due = store.next_due_at(Kind.FEEDBACK)
    assert due is not None
    return round((due - now()).total_seconds())


def test_what_becomes_due_is_converged_at_once_when_somebody_says_so(store: SqlStore):
    done: list[str] = []
    rows = Rows(store, lambda claim: (done.append(claim.id), settle(store, claim)))
    worker = Worker(store, [rows.lane], now)
    store.on_commit_due = worker.wake
    worker.start()
    try:
        add(store, "a", "b")
        until(lambda: sorted(done) == ["reply:a", "reply:b"])
    finally:
        worker.stop()


def test_a_hint_for_a_kind_that_nobody_converges_does_no_harm(store: SqlStore):
    Worker(store, [Rows(store, lambda _claim: None).lane], now).wake(Kind.REPOSITORY)


@pytest.mark.parametrize(("attempts", "pause_s"), [(0, 5), (1, 10), (3, 40), (10, 300), (298, 300)])
def test_what_may_pass_by_itself_is_tried_again_after_ever_longer_pauses(store: SqlStore, attempts: int, pause_s: int):
    def fail(_claim: Claim) -> None:
        raise TransientError("The forge is away.", retry_after_s=5)

    add(store, "a")
    turn(store, Rows(store, fail, patience=300), attempts)

    assert paused_s(store) == pause_s


def test_who_asks_for_more_time_gets_it(store: SqlStore):
    def fail(_claim: Claim) -> None:
        raise TransientError("Rate limited.", retry_after_s=3000)

    add(store, "a")
    turn(store, Rows(store, fail))

    assert paused_s(store) == 3000 > LONGEST_BACKOFF_S


def test_what_may_pass_by_itself_is_given_up_when_the_lanes_patience_ends(store: SqlStore):
    def fail(_claim: Claim) -> None:
        raise TransientError("The forge is away.")

    add(store, "a")
    rows = Rows(store, fail, patience=20)
    turn(store, rows, MAX_ATTEMPTS)
    assert rows.given_up == []

    with store.transaction() as tx:
        tx.wake(Kind.FEEDBACK, "reply:a", now=now())
    turn(store, rows, 19)
    assert rows.given_up == [("reply:a", "The forge is away.")]


@pytest.mark.parametrize(
    ("error", "words"),
    [(KeyError("x"), "KeyError: 'x'"), (UserError("It is not there.", "Look."), "It is not there. Look.")],
)
def test_a_bug_and_a_refusal_are_given_up_after_a_few_attempts_with_their_words(
    error: Exception, words: str, store: SqlStore
):
    def fail(_claim: Claim) -> None:
        raise error

    add(store, "a")
    rows = Rows(store, fail, patience=300)
    turn(store, rows, MAX_ATTEMPTS - 1)

    assert rows.given_up == [("reply:a", words)]


def test_a_row_that_can_not_even_be_given_up_is_looked_at_rarely(store: SqlStore):
    def fail(*_arguments: object) -> None:
        raise KeyError("x")

    add(store, "a")
    rows = Rows(store, fail)
    broken = Lane(Kind.FEEDBACK, rows.tasks, fail, threads=1, batch=1)
    (claim,) = store.claim(Kind.FEEDBACK, limit=1, lease_s=60, now=now())
    with capture_logs() as logs:
        Worker(store, [broken], now)._converge(broken, [Claim(claim.kind, claim.id, claim.revision, 99)])

    assert paused_s(store) == LONGEST_BACKOFF_S
    assert [entry["event"] for entry in logs] == ["row_failed", "row_given_up", "giving_up_failed"]


def test_a_row_that_was_written_meanwhile_is_no_failure(store: SqlStore):
    def lose(_claim: Claim) -> None:
        raise LeaseLost

    add(store, "a")
    rows = Rows(store, lose)
    with capture_logs() as logs:
        turn(store, rows, MAX_ATTEMPTS)

    assert [entry for entry in logs if entry["log_level"] != "debug"] == []
    assert rows.given_up == []


def test_one_row_that_can_not_be_read_keeps_no_other_of_its_batch(store: SqlStore):
    done: list[str] = []
    rows = Rows(store, lambda claim: (done.append(claim.id), settle(store, claim)))

    def read(claims: Sequence[Claim]) -> Sequence[Callable[[], None]]:
        if any(claim.id == "reply:bad" for claim in claims):
            raise ValueError("not JSON")
        return rows.tasks(claims)

    lane = Lane(Kind.FEEDBACK, read, rows.give_up, threads=1, batch=10)
    add(store, "a", "bad", "b")
    claims = store.claim(Kind.FEEDBACK, limit=10, lease_s=60, now=now())

    Worker(store, [lane], now)._converge(lane, claims)

    assert sorted(done) == ["reply:a", "reply:b"]
    assert paused_s(store) == 2


def test_an_engine_that_does_not_answer_postpones_the_batch(store: SqlStore):
    def away(_claims: Sequence[Claim]) -> Sequence[Callable[[], None]]:
        raise TransientError("The engine is away.", retry_after_s=7)

    lane = Lane(Kind.FEEDBACK, away, lambda _claim, _problem: None, threads=1, batch=10)
    add(store, "a", "b")
    claims = store.claim(Kind.FEEDBACK, limit=10, lease_s=60, now=now())

    Worker(store, [lane], now)._converge(lane, claims)

    assert paused_s(store) == 7


def test_a_loop_that_dies_is_started_again_and_counted(store: SqlStore, monkeypatch):
    done = threading.Event()
    rows = Rows(store, lambda claim: (settle(store, claim), done.set()))
    worker = Worker(store, [rows.lane], now)
    real, died = store.claim, threading.Event()

    def claim(*arguments, **named):
        if not died.is_set():
            died.set()
            raise RuntimeError("a bug")
        return real(*arguments, **named)

    monkeypatch.setattr(store, "claim", claim)
    add(store, "a")
    worker.start()
    try:
        assert done.wait(DEADLINE_S)
    finally:
        worker.stop()
    assert worker.restarts == {Kind.FEEDBACK: 1}


def test_a_stopping_worker_finishes_the_row_in_hand_and_leaves_the_rest(store: SqlStore):
    begun, go, done = threading.Event(), threading.Event(), []

    def work(claim: Claim) -> None:
        begun.set()
        assert go.wait(DEADLINE_S)
        settle(store, claim)
        done.append(claim.id)

    worker = Worker(store, [Rows(store, work).lane], now)
    add(store, "a", "b", "c")
    worker.start()
    assert begun.wait(DEADLINE_S)
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    until(worker._stopping.is_set)
    go.set()
    stopper.join(DEADLINE_S)

    assert len(done) == 1
    assert not any(thread.is_alive() for thread in worker._threads)


def test_a_chore_that_fails_has_its_next_turn(store: SqlStore):
    turns = threading.Semaphore(0)

    def fail() -> None:
        turns.release()
        raise OSError("full")

    worker = Worker(store, [], now, chores=[Chore("tidy", 0.01, fail)])
    worker.start()
    try:
        assert all(turns.acquire(timeout=DEADLINE_S) for _ in range(3))
    finally:
        worker.stop()
