"""Whose turn it is to write, where a database has one writer at a time."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock

# of a flood of urgent writes, this often the others get a turn in between
OTHERS_EVERY_S = 0.05


class Turn:
    """First come, first served, save that the urgent come before the others. Waits end at once, without polling."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_taken = False
        self._urgent: deque[Lock] = deque()
        self._others: deque[Lock] = deque()
        self._others_had_it_s = 0.0

    def acquire(self, *, urgent: bool, timeout_s: float) -> bool:
        """False when the turn did not come in time."""
        queue = self._urgent if urgent else self._others
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return True
            mine = Lock()
            mine.acquire()
            queue.append(mine)
        if mine.acquire(timeout=timeout_s):
            return True
        with self._lock:
            if mine not in queue:  # it came at this very moment
                return True
            queue.remove(mine)
            return False

    def release(self) -> None:
        with self._lock:
            following = self._following()
            if following is None:
                self._is_taken = False
            else:
                following.release()

    def _following(self) -> Lock | None:
        now_s = time.monotonic()
        if self._others and (not self._urgent or now_s - self._others_had_it_s >= OTHERS_EVERY_S):
            self._others_had_it_s = now_s
            return self._others.popleft()
        return self._urgent.popleft() if self._urgent else None
