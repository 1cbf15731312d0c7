"""The thread that looks at every revision: when something moves, and when a revision has something to do by itself."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from bot.serving.revision import LocalRevision

LONGEST_SLEEP_S = 5.0
AFTER_FAULT_S = 1.0

log = structlog.get_logger()


class Supervisor:
    """`revisions` gives those that there are; `moved` is told of one whose state has changed, `over` of one that is
    desired no more and has ended. Both are called from the thread."""

    def __init__(
        self,
        revisions: Callable[[], Sequence[LocalRevision]],
        *,
        moved: Callable[[LocalRevision], None],
        over: Callable[[LocalRevision], None],
    ) -> None:
        self._revisions = revisions
        self._moved = moved
        self._over = over
        self._woken, self._wake_up = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake_up, False)
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._supervise, name="serving", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def wake(self) -> None:
        """What is desired has changed."""
        try:
            os.write(self._wake_up, b".")
        except BlockingIOError:
            return  # the pipe is full, so the thread will wake

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.wake()
        if self._thread is not None:
            self._thread.join()
        os.close(self._woken)
        os.close(self._wake_up)

    def _supervise(self) -> None:
        while not self._closed:
            try:
                self._wait(self._round())
            except Exception:  # a fault in one round must not end what serves
                log.exception("serving_round_failed")
                time.sleep(AFTER_FAULT_S)

    def _round(self) -> float:
        """Look at every revision once. Gives when to look again at the latest."""
        now_s = time.monotonic()
        next_s = now_s + LONGEST_SLEEP_S
        for revision in self._revisions():
            before = revision.seen
            due_s = revision.look(now_s)
            next_s = min(next_s, due_s) if due_s is not None else next_s
            if (revision.seen.state, revision.seen.address) != (before.state, before.address):
                self._moved(revision)
            if revision.is_over:
                self._over(revision)
        return next_s

    def _wait(self, until_s: float) -> None:
        descriptors = [revision.keeper.descriptor for revision in self._revisions()]
        with selectors.DefaultSelector() as selector:
            for descriptor in (self._woken, *descriptors):
                if descriptor is not None:
                    selector.register(descriptor, selectors.EVENT_READ)
            ready = selector.select(max(0.0, until_s - time.monotonic()))
        if any(key.fd == self._woken for key, _ in ready):
            os.read(self._woken, 4096)
