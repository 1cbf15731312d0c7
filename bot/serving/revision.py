"""One revision on this machine: what its keeper is seen to do, and what follows from it.

    starting ─▶ ready ─▶ (ended) ─▶ starting again, later with each failure
        └─▶ failed: for good, when it never was ready and no requests are for it

A revision that is desired no more takes no requests, is ended once it has answered those that it has, and is forgotten.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from bot.domain.clock import Clock
from bot.domain.serving import RevisionState, ServedRevision
from bot.serving.keeper_process import KeeperProcess, kill_left_behind
from bot.serving.traffic import Meter
from pipelines.serving.folder import ServerFolder

FIRST_PAUSE_S = 0.2  # before a start anew; twice as long after each failure
LONGEST_PAUSE_S = 60.0
STEADY_FOR = timedelta(seconds=30)  # one that was ready for so long has not failed to start
SETTLE_S = 0.3  # the proxy may have chosen it just before it was taken from the routes
DRAIN_LIMIT_S = 75.0  # more than the proxy lets a request take
END_LIMIT_S = 20.0  # more than the keeper's own patience
LOOK_S = 0.02  # while it is starting or being ended

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Place:
    environment: str
    model: str
    revision_id: str

    @property
    def key(self) -> str:
        """Names a revision among all: the same version may serve in several environments."""
        return f"{self.environment}/{self.model}/{self.revision_id}"


@dataclass(frozen=True, slots=True)
class Seen:
    state: RevisionState
    since: datetime
    address: str = ""
    restarts: int = 0
    message: str = ""


class LocalRevision:
    """`wanted` and `percent` are set by who knows what is desired, None for nothing; the rest is the supervisor's."""

    def __init__(
        self,
        place: Place,
        folder: ServerFolder,
        clock: Clock,
        start: Callable[[LocalRevision, ServedRevision], None],
    ) -> None:
        self.place = place
        self.folder = folder
        self.keeper = KeeperProcess(folder)
        self.meter = Meter()
        self.wanted: ServedRevision | None = None
        self.percent = 0
        self.given_up = False
        self._clock = clock
        self._start = start
        order = folder.read("order.json")
        self.starts = 0 if order is None else int(order["start"]) + 1
        self._was_alive = order is not None  # how it ended is looked up, if it has
        self._failures = 0
        self._next_start_s = 0.0
        self._unwanted_since_s: float | None = None
        self._asked_to_end_s: float | None = None
        self.seen = Seen(RevisionState.STARTING, clock())

    def want(self, wanted: ServedRevision, percent: int, *, anew: bool) -> None:
        """`anew`: it was not desired just before, so that what had failed is tried again."""
        if percent != self.percent or anew:
            self.meter.begin_anew()
        self.wanted, self.percent = wanted, percent
        self._unwanted_since_s = None
        if anew or percent:
            self.given_up = False

    def forget(self) -> None:
        self.wanted, self.percent = None, 0

    def look(self, now_s: float) -> float | None:
        """Bring it nearer to what is desired. Gives when to look again at the latest, None for when something moves."""
        wanted, alive = self.wanted, self.keeper.is_alive()
        if alive:
            self._was_alive = True
            self._follow()
        elif self._was_alive:
            self._was_alive = False
            self._handle_end(now_s)
        if wanted is None:
            return self._end(alive, now_s)
        if alive:
            return None if self.seen.state is RevisionState.READY else now_s + LOOK_S
        return self._begin(wanted, now_s)

    @property
    def is_over(self) -> bool:
        return self.wanted is None and not self._was_alive and not self.keeper.is_alive()

    # -- while it lives
    def _follow(self) -> None:
        if self._asked_to_end_s is not None:
            self._see(RevisionState.STARTING, message="It is being ended, and then started again.")
            return
        ready = self.folder.read("ready.json")
        if ready is not None and ready["start"] == self.starts - 1:
            self._failures = 0 if self._is_steady() else self._failures
            self._see(RevisionState.READY, address=f"http://127.0.0.1:{ready['port']}")
            return
        stage = self.folder.read("stage.json") or {}
        words = str(stage.get("words", "")) if stage.get("start") == self.starts - 1 else ""
        self._see(RevisionState.STARTING, message=words or self.seen.message)

    def _is_steady(self) -> bool:
        return self.seen.state is RevisionState.READY and self._clock() - self.seen.since > STEADY_FOR

    # -- when it has ended
    def _handle_end(self, now_s: float) -> None:
        left = self.folder.read("exit.json")
        is_own = left is not None and left["start"] == self.starts - 1
        words = str(left["words"]) if left is not None and is_own else "The model server's keeper was killed."
        if not is_own:
            kill_left_behind(self.folder.path)
        if self._asked_to_end_s is not None:
            self._asked_to_end_s = None
            return
        self._failures = 1 if self._is_steady() else self._failures + 1
        self._next_start_s = now_s + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(self._failures - 1, 20))
        never_worked = not self.folder.was_ready and self.percent == 0
        self.given_up = never_worked and is_own  # a keeper that was killed says nothing of the model
        log.warning("model_server_ended", revision=self.place.key, start=self.starts - 1, words=words)
        self._see(RevisionState.FAILED, message=words)

    def _begin(self, wanted: ServedRevision, now_s: float) -> float | None:
        if self.given_up:
            return None
        if now_s < self._next_start_s:
            return self._next_start_s
        try:
            self._start(self, wanted)
        except OSError as error:
            self._failures += 1
            self._next_start_s = now_s + min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._failures)
            self._see(RevisionState.FAILED, message=f"The model server could not be started: {error}.")
            return self._next_start_s
        self.starts += 1
        self._was_alive = True
        words = f"Started again. {self.seen.message}" if self.seen.state is RevisionState.FAILED else ""
        self._see(RevisionState.STARTING, message=words)
        return now_s + LOOK_S

    # -- when it is desired no more
    def _end(self, alive: bool, now_s: float) -> float | None:
        if not alive:
            return None
        if self._unwanted_since_s is None:
            self._unwanted_since_s = now_s
        waited_s = now_s - self._unwanted_since_s
        if self._asked_to_end_s is None:
            if waited_s >= SETTLE_S and (self.meter.inside == 0 or waited_s >= DRAIN_LIMIT_S):
                self._asked_to_end_s = now_s
                self.keeper.ask_to_end()
        elif now_s - self._asked_to_end_s > END_LIMIT_S:
            self.keeper.kill()
        return now_s + LOOK_S

    def clear(self) -> None:
        """Its files are needed no more, save what tells how it went."""
        for name in ("model", "fetched", "code", "home", "tmp", "environment"):
            shutil.rmtree(self.folder.path / name, ignore_errors=True)
        for name in ("order.json", "ready.json", "was-ready", "stage.json", "code.complete", "git-credentials.json"):
            self.folder.forget(name)

    def _see(self, state: RevisionState, *, address: str = "", message: str = "") -> None:
        seen = Seen(state, self._clock(), address, max(0, self.starts - 1), message)
        if replace(seen, since=self.seen.since) == self.seen:
            return
        self.seen = replace(seen, since=self.seen.since) if state is self.seen.state else seen
