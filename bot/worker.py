"""Takes what is due, lets the use cases converge it, and reschedules what could not be done yet.

Each kind of row has threads of its own. They sleep until the next row is due or somebody says that one is; a thread
that dies is started again and counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog

from bot.domain.clock import Clock
from bot.domain.errors import TransientError, UserError
from bot.ports.store import Claim, Kind, LeaseLost, Store

log = structlog.get_logger()

LEASE_S = 120.0  # outlives the longest call: git and HTTP calls end after 60 s at the most
LONGEST_SLEEP_S = 5.0
MAX_ATTEMPTS = 8
PATIENT_ATTEMPTS = 300  # about a day: what may pass by itself is waited for
LONGEST_BACKOFF_S = 300.0

Tasks = Callable[[Sequence[Claim]], Sequence[Callable[[], None]]]


@dataclass(frozen=True, slots=True)
class Lane:
    """How one kind of row is converged: `tasks` gives one task per claim; `give_up` ends a row that fails too often,
    which is after `patience` attempts for what may pass by itself, and after a few for anything else."""

    kind: Kind
    tasks: Tasks
    give_up: Callable[[Claim, str], None]
    threads: int
    batch: int
    patience: int = PATIENT_ATTEMPTS


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to be done now and then; what it raises is logged, and it is tried again at its next turn."""

    name: str
    every_s: float
    do: Callable[[], object]
    at_start: bool = False


class Worker:
    """Start it, wake it, stop it. `restarts` counts threads that had to be started again, by kind."""

    def __init__(self, store: Store, lanes: Sequence[Lane], clock: Clock, *, chores: Sequence[Chore] = ()) -> None:
        self._store = store
        self._chores = chores
        self._lanes = lanes
        self._clock = clock
        self._hints = {lane.kind: threading.Semaphore(0) for lane in lanes}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.restarts: dict[Kind, int] = {lane.kind: 0 for lane in lanes}

    def start(self) -> None:
        for lane in self._lanes:
            for number in range(lane.threads):
                thread = threading.Thread(
                    target=self._supervise, args=(lane,), name=f"{lane.kind}-{number}", daemon=True
                )
                thread.start()
                self._threads.append(thread)

        for chore in self._chores:
            thread = threading.Thread(target=self._repeat, args=(chore,), name=chore.name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def wake(self, kind: Kind) -> None:
        """A hint that a row of this kind may be due. Cheap, from any thread; kinds without a lane are left alone."""
        hint = self._hints.get(kind)
        if hint is not None:
            hint.release()

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Let the rows in hand finish; what is not finished is taken up by the next start, when its lease ends."""
        self._stopping.set()
        for lane in self._lanes:
            for _ in range(lane.threads):
                self._hints[lane.kind].release()
        for thread in self._threads:
            thread.join(timeout_s)

    def _repeat(self, chore: Chore) -> None:
        pause_s = 0.0 if chore.at_start else chore.every_s
        while not self._stopping.wait(pause_s):
            pause_s = chore.every_s
            try:
                chore.do()
            except Exception:  # the edge: the next turn may do better
                log.exception("chore_failed", chore=chore.name)

    def _supervise(self, lane: Lane) -> None:
        while not self._stopping.is_set():
            try:
                self._loop(lane)
            except Exception:  # the edge: a loop must never end in silence
                self.restarts[lane.kind] += 1
                log.exception("worker_loop_died", kind=lane.kind)
                self._stopping.wait(1.0)

    def _loop(self, lane: Lane) -> None:
        while not self._stopping.is_set():
            try:
                claims = self._store.claim(lane.kind, limit=lane.batch, lease_s=LEASE_S, now=self._clock())
                if claims:
                    self._converge(lane, claims)
                else:
                    self._sleep(lane.kind)
            except TransientError as error:
                log.warning("store_unavailable", kind=lane.kind, problem=error.problem)
                self._stopping.wait(min(error.retry_after_s, LONGEST_SLEEP_S))

    def _sleep(self, kind: Kind) -> None:
        due = self._store.next_due_at(kind)
        pause_s = LONGEST_SLEEP_S if due is None else (due - self._clock()).total_seconds()
        hint = self._hints[kind]
        hint.acquire(timeout=min(max(pause_s, 0.01), LONGEST_SLEEP_S))
        while hint.acquire(blocking=False):  # many hints are answered by one look
            pass
        if self._stopping.is_set():  # the other threads of this kind are told too
            hint.release()

    def _converge(self, lane: Lane, claims: Sequence[Claim]) -> None:
        try:
            tasks = lane.tasks(claims)
        except TransientError as error:
            for claim in claims:
                self._postpone(claim, error.problem, error.retry_after_s)
            return
        except Exception:  # the edge: one row must not keep the others of its batch from being looked at
            log.exception("batch_failed", kind=lane.kind)
            tasks = [partial(self._alone, lane, claim) for claim in claims]
        for claim, task in zip(claims, tasks, strict=True):
            if self._stopping.is_set():
                return  # the rest is taken up by the next start
            self._attempt(lane, claim, task)

    def _alone(self, lane: Lane, claim: Claim) -> None:
        (task,) = lane.tasks([claim])
        task()

    def _attempt(self, lane: Lane, claim: Claim, task: Callable[[], None]) -> None:
        with structlog.contextvars.bound_contextvars(kind=str(claim.kind), row=claim.id):
            try:
                task()
            except LeaseLost:
                log.debug("row_changed_meanwhile")
            except TransientError as error:
                again = log.warning if claim.attempts else log.info  # once is nothing: a race, a blink of a network
                again("row_postponed", problem=error.problem, attempts=claim.attempts)
                self._retry_or_give_up(lane, claim, error.problem, error.retry_after_s, attempts=lane.patience)
            except UserError as error:
                log.warning("row_refused", problem=error.problem)
                self._retry_or_give_up(lane, claim, f"{error.problem} {error.fix}".strip(), LONGEST_BACKOFF_S)
            except Exception as error:  # the edge: anything else is our bug, and must not stop the others
                log.exception("row_failed", attempts=claim.attempts)
                self._retry_or_give_up(lane, claim, f"{type(error).__name__}: {error}", 2.0)

    def _retry_or_give_up(
        self, lane: Lane, claim: Claim, problem: str, retry_after_s: float, *, attempts: int = MAX_ATTEMPTS
    ) -> None:
        if claim.attempts + 1 < attempts:
            backoff_s = min(retry_after_s * 2 ** min(claim.attempts, 20), LONGEST_BACKOFF_S)
            self._postpone(claim, problem, max(backoff_s, retry_after_s))  # who asks for more time gets it
            return
        log.error("row_given_up", kind=claim.kind, row=claim.id, problem=problem)
        try:
            lane.give_up(claim, problem)
        except LeaseLost:
            return
        except Exception:  # the edge: giving up failed too; the row stays, and is looked at rarely
            log.exception("giving_up_failed", kind=claim.kind, row=claim.id)
            self._postpone(claim, problem, LONGEST_BACKOFF_S)

    def _postpone(self, claim: Claim, problem: str, pause_s: float) -> None:
        self._store.fail(claim, error=problem[:2000], next_check_at=self._clock() + timedelta(seconds=pause_s))
