"""A version that was trained again from its lock, held against what the lock says."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bot.domain.result import Metric, Result
from bot.domain.version import VersionLock

# sums of the same floats in another order differ in their last digits, on another processor or number of threads
RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class MetricPair:
    """`locked` or `now` is None where only one side has the metric."""

    name: str
    locked: float | None
    now: float | None

    @property
    def is_equal(self) -> bool:
        if self.locked is None or self.now is None:
            return False
        return math.isclose(self.locked, self.now, rel_tol=RELATIVE_TOLERANCE)

    @property
    def words(self) -> str:
        if self.locked is None:
            return "is new"
        if self.now is None:
            return "is missing"
        return "equal" if self.is_equal else f"differs by {self.now - self.locked:+.3g}"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Equal when all metrics are; a model's bytes may differ all the same, for some libraries write times into them."""

    metrics: tuple[MetricPair, ...]
    locked_digest: str
    digest: str

    @property
    def is_equal(self) -> bool:
        return bool(self.metrics) and all(pair.is_equal for pair in self.metrics)

    @property
    def is_same_model(self) -> bool:
        return self.digest == self.locked_digest


def compare(lock: VersionLock, result: Result) -> Reproduction:
    names = [*lock.metrics, *(name for name in result.metrics if name not in lock.metrics)]
    pairs = (MetricPair(name, _value(lock.metrics.get(name)), _value(result.metrics.get(name))) for name in names)
    return Reproduction(tuple(pairs), lock.model_digest, result.model_digest)


def _value(metric: Metric | None) -> float | None:
    return None if metric is None else metric.value
