"""Curves as SVG pictures that are legible in light and dark, wherever they are shown.

A picture has its own background: as an image it follows the reader's system, which may differ from the page around it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.comments.escape import one_line
from bot.domain.gate import number_text
from bot.domain.plots import Curve

WIDTH, HEIGHT = 560, 400
LEFT, RIGHT, TOP, BOTTOM = 74, 30, 84, 56  # margins around the plot
TICKS = 5
TITLE_LIMIT = 48  # characters that fit across
LABEL_LIMIT = 48
VERSIONS_HEIGHT = 300
MOST_VERSIONS = 200  # the newest of them; more would be one blot
VERSION_LIMIT = 12  # characters
LABEL_WIDTH = 64  # pixels that a version's name takes

_ENVIRONMENT = Environment(
    loader=PackageLoader("bot.comments"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A version's point, in pixels."""

    version: str
    value: str
    x: str
    y: str
    label_y: str
    is_served: bool
    is_labelled: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps numbers to pixels. `ticks` are round numbers within the range."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def curve_svg(curve: Curve, *, title: str, base: Curve | None = None, base_name: str = "base") -> str:
    """The curve, over the incumbent's if that has the same axes. `title` and `base_name` may be any text."""
    if base is not None and (base.x_label, base.y_label) != (curve.x_label, curve.y_label):
        base = None
    points = [*curve.points, *(base.points if base else ())]
    unit = curve.is_roc
    x = _scale([0.0, 1.0] if unit else [x for x, _ in points], start=LEFT, end=WIDTH - RIGHT)
    y = _scale([0.0, 1.0] if unit else [y for _, y in points], start=HEIGHT - BOTTOM, end=TOP)
    return _ENVIRONMENT.get_template("curve.svg.j2").render(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        title=one_line(title, limit=TITLE_LIMIT),
        x_label=_axis_label(curve.x_label),
        y_label=_axis_label(curve.y_label),
        x_ticks=[(_pixel(x.place(tick)), number_text(tick, digits=4)) for tick in x.ticks],
        y_ticks=[(_pixel(y.place(tick)), number_text(tick, digits=4)) for tick in y.ticks],
        path=_path(curve, x, y),
        base_path=_path(base, x, y) if base else "",
        words=_legend("this run", curve),
        base_words=_legend(one_line(base_name, limit=24), base) if base else "",
        chance=unit,
    )


def version_chart(metric: str, points: Sequence[tuple[str, float]], served: Collection[str]) -> str:
    """A metric over versions, `(v1.2.0, 0.96)`, the oldest first; those that serve somewhere now stand out. A version
    without the metric is left out by whoever asks; values that are no numbers are left out here."""
    shown = [(version, value) for version, value in points if math.isfinite(value)][-MOST_VERSIONS:]
    bottom = VERSIONS_HEIGHT - 44
    y = _scale([value for _, value in shown] or [0.0, 1.0], start=bottom, end=TOP)
    marks = [
        _mark(number, len(shown), version, value, y, version in served) for number, (version, value) in enumerate(shown)
    ]
    return _ENVIRONMENT.get_template("versions.svg.j2").render(
        width=WIDTH,
        height=VERSIONS_HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=bottom,
        title=one_line(metric, limit=TITLE_LIMIT),
        y_ticks=[(_pixel(y.place(tick)), number_text(tick, digits=4)) for tick in y.ticks] if shown else [],
        points=marks,
        path="M" + "L".join(f"{mark.x} {mark.y}" for mark in marks),
    )


def _mark(number: int, count: int, version: str, value: float, y: Scale, is_served: bool) -> Mark:
    left, right = LEFT + LABEL_WIDTH / 2, WIDTH - RIGHT - LABEL_WIDTH / 2
    step = (right - left) / max(1, count - 1)
    x = left + number * step if count > 1 else (left + right) / 2
    every = math.ceil(LABEL_WIDTH / step)
    place = y.place(value)
    return Mark(
        version=one_line(version, limit=VERSION_LIMIT),
        value=number_text(value, digits=5),
        x=_pixel(x),
        y=_pixel(place),
        label_y=_pixel(place - 12),
        is_served=is_served,
        is_labelled=(count - 1 - number) % every == 0,  # so that the newest is
    )


def _axis_label(label: str) -> str:
    known = {"fpr": "false positive rate", "tpr": "true positive rate"}
    return known.get(label.lower(), one_line(label, limit=LABEL_LIMIT))


def _legend(name: str, curve: Curve) -> str:
    return name if curve.area is None else f"{name} (area {number_text(curve.area, digits=4)})"


def _path(curve: Curve, x: Scale, y: Scale) -> str:
    """Points outside the scales, such as a false positive rate of 7, are drawn at the edge."""
    places = [(_inside(x.place(a), x), _inside(y.place(b), y)) for a, b in curve.points]
    return "M" + "L".join(f"{_pixel(a)} {_pixel(b)}" for a, b in places)


def _inside(place: float, scale: Scale) -> float:
    low, high = sorted((scale.start, scale.end))
    return min(max(place, low), high)


def _pixel(place: float) -> str:
    return f"{place:.1f}".removesuffix(".0")


def _scale(values: Sequence[float], *, start: float, end: float) -> Scale:
    low, high = min(values), max(values)
    if not high - low > max(abs(low), abs(high)) * 1e-12:  # all the same, or too near to be told apart
        margin = abs(low) / 2 or 1.0
        low, high = low - margin, high + margin
    step = _round_step((high - low) / TICKS)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Scale(first * step, last * step, start, end, tuple(number * step for number in range(first, last + 1)))


def _round_step(step: float) -> float:
    """The next of 1, 2, 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= step * (1 - 1e-9)), 10 * power)
