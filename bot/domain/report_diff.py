"""How a result differs from the incumbent's: metrics, params, data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.gate import Gate, better_when
from bot.domain.project import JsonValue
from bot.domain.report_versions import VersionFacts
from bot.domain.result import ColumnSummary, DataSummary, Metric, Result

# P. Austin, "An Introduction to Propensity Score Methods" (2011): below 0.1 a difference of means is negligible
SHIFT_THRESHOLD = 0.1
MISSING_THRESHOLD = 0.01  # share of rows


class Trend(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    CHANGED = "changed"  # which way is better is not known


@dataclass(frozen=True, slots=True)
class Difference:
    """From what a metric was elsewhere; `delta` and `trend` are None when there is nothing to compare."""

    was: Metric | None
    delta: float | None = None
    trend: Trend | None = None
    within_std: bool = False


@dataclass(frozen=True, slots=True)
class MetricLine:
    """`trend` and `delta` are None when there is nothing to compare. `within_std`: no larger than the scatter given.
    `production` is None where nothing serves there."""

    name: str
    now: Metric | None
    base: Metric | None
    delta: float | None = None
    trend: Trend | None = None
    within_std: bool = False
    production: Difference | None = None


@dataclass(frozen=True, slots=True)
class ParamChange:
    """A param of the run, or a part of its split. `was` or `now` is missing where only one side has it."""

    name: str
    was: tuple[JsonValue] | None
    now: tuple[JsonValue] | None


@dataclass(frozen=True, slots=True)
class ColumnShift:
    """`size` is the standardized mean difference: in standard deviations, infinite for a constant that changed."""

    name: str
    was: float
    now: float
    size: float


@dataclass(frozen=True, slots=True)
class MissingChange:
    """Values missing, as shares of the rows."""

    name: str
    was: float
    now: float


@dataclass(frozen=True, slots=True)
class DataDiff:
    was: DataSummary
    now: DataSummary
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    shifts: tuple[ColumnShift, ...] = ()
    missing: tuple[MissingChange, ...] = ()

    @property
    def is_same(self) -> bool:
        return self.was.digest == self.now.digest


def compare_metrics(
    now: Mapping[str, Metric],
    base: Mapping[str, Metric] | None,
    gates: Sequence[Gate],
    *,
    production: Mapping[str, Metric] | None = None,
) -> tuple[MetricLine, ...]:
    """Those that gates ask for first, in the gates' order, then the rest by name."""
    known = set(now) | set(base or ()) | set(production or ())
    asked = list(dict.fromkeys(gate.metric for gate in gates if gate.metric in known))
    lines = []
    for name in asked + sorted(known.difference(asked)):
        here = now.get(name)
        from_base = _difference(name, here, (base or {}).get(name), gates)
        from_production = None if production is None else _difference(name, here, production.get(name), gates)
        lines.append(
            MetricLine(
                name=name,
                now=here,
                base=from_base.was,
                delta=from_base.delta,
                trend=from_base.trend,
                within_std=from_base.within_std,
                production=from_production,
            )
        )
    return tuple(lines)


def _difference(name: str, now: Metric | None, was: Metric | None, gates: Sequence[Gate]) -> Difference:
    if now is None or was is None:
        return Difference(was)
    delta = now.value - was.value
    stds = [metric.std for metric in (now, was) if metric.std is not None]
    return Difference(
        was=was,
        delta=delta,
        trend=_trend(name, now.value, was.value, gates),
        within_std=bool(stds) and 0 < abs(delta) <= math.hypot(*stds),
    )


def _trend(name: str, now: float, base: float, gates: Sequence[Gate]) -> Trend:
    if math.isclose(now, base, rel_tol=1e-9):
        return Trend.SAME
    direction = better_when(name, gates)
    if direction is None:
        return Trend.CHANGED
    return Trend.BETTER if (now > base) == (direction == "higher") else Trend.WORSE


def compare_params(now: Result | VersionFacts, base: Result | VersionFacts) -> tuple[ParamChange, ...]:
    """Params by name, then the split."""
    return (
        *_changes(now.params, base.params),
        *_changes(now.split, base.split, prefix="split."),
    )


def _changes(now: Mapping[str, JsonValue], was: Mapping[str, JsonValue], prefix: str = "") -> tuple[ParamChange, ...]:
    return tuple(
        ParamChange(prefix + name, (was[name],) if name in was else None, (now[name],) if name in now else None)
        for name in sorted(set(now) | set(was))
        if name not in now or name not in was or now[name] != was[name]
    )


def compare_data(now: DataSummary | None, was: DataSummary | None) -> DataDiff | None:
    """None where either side has no data."""
    if now is None or was is None:
        return None
    columns_now, columns_was = _by_name(now), _by_name(was)
    both = [name for name in columns_now if name in columns_was] if now.digest != was.digest else []
    shifts = [shift for name in both if (shift := _shift(columns_was[name], columns_now[name])) is not None]
    return DataDiff(
        was=was,
        now=now,
        added=tuple(name for name in columns_now if columns_was and name not in columns_was),
        removed=tuple(name for name in columns_was if columns_now and name not in columns_now),
        shifts=tuple(sorted(shifts, key=lambda shift: (-shift.size, shift.name))),
        missing=tuple(
            change
            for name in both
            if (change := _missing(columns_was[name], was.rows, columns_now[name], now.rows)) is not None
        ),
    )


def _by_name(summary: DataSummary) -> dict[str, ColumnSummary]:
    return {column.name: column for column in summary.columns}


def _shift(was: ColumnSummary, now: ColumnSummary) -> ColumnShift | None:
    if was.mean is None or now.mean is None:
        return None
    distance = abs(now.mean - was.mean)
    spread = math.hypot(was.std or 0.0, now.std or 0.0) / math.sqrt(2)
    size = distance / spread if spread > 0 and math.isfinite(spread) else (math.inf if distance > 0 else 0.0)
    return ColumnShift(was.name, was.mean, now.mean, size) if size >= SHIFT_THRESHOLD else None


def _missing(
    was: ColumnSummary, rows_was: int | None, now: ColumnSummary, rows_now: int | None
) -> MissingChange | None:
    if not rows_was or not rows_now:
        return None
    change = MissingChange(was.name, was.missing / rows_was, now.missing / rows_now)
    return change if abs(change.now - change.was) >= MISSING_THRESHOLD else None
