"""What passes through each revision: how many requests are in it now, and how they were answered."""

from __future__ import annotations

import math
import threading

from bot.domain.serving import Traffic

_SHORTEST_MS = 0.05
_GROWTH = 1.05  # a percentile is at most so much too high
_BUCKETS = 400  # up to four hours
_LOG_GROWTH = math.log(_GROWTH)


class Meter:
    """Of one revision. Thread-safe, and as cheap as it is called often."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._clear()

    def entered(self) -> None:
        with self._lock:
            self._inside += 1

    def left(self, *, status: int | None, elapsed_s: float) -> None:
        bucket = _bucket(elapsed_s * 1000)
        with self._lock:
            self._inside -= 1
            self._requests += 1
            if status is None or status >= 500:
                self._errors += 1
            if status is not None:
                self._latencies[bucket] += 1

    @property
    def inside(self) -> int:
        return self._inside

    def begin_anew(self) -> None:
        """From now on another share is measured; what is inside stays."""
        with self._lock:
            self._clear()

    def traffic(self) -> Traffic:
        with self._lock:
            return Traffic(self._requests, self._errors, _percentile(self._latencies, 0.99))

    def _clear(self) -> None:
        self._requests = 0
        self._errors = 0
        self._latencies = [0] * _BUCKETS


def _bucket(elapsed_ms: float) -> int:
    if elapsed_ms <= _SHORTEST_MS:
        return 0
    return min(_BUCKETS - 1, math.ceil(math.log(elapsed_ms / _SHORTEST_MS) / _LOG_GROWTH))


def _percentile(latencies: list[int], share: float) -> float | None:
    """The upper edge of the bucket in which it lies."""
    answered = sum(latencies)
    if not answered:
        return None
    wanted, seen = math.ceil(share * answered), 0
    for bucket, count in enumerate(latencies):
        seen += count
        if seen >= wanted:
            return round(float(_SHORTEST_MS * _GROWTH**bucket), 3)
    return None
