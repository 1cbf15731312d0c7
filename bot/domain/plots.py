"""The plots that the bot draws itself, from the CSV files that a run left: hostile until read."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bot.domain.errors import UserError
from bot.domain.result import Plot, PlotKind

PLOT_LIMIT_BYTES = 8 * 1024 * 1024  # about 500,000 rows, read in half a second
DRAWN_POINTS = 200  # more can not be told apart in a picture of 640 pixels
CLASS_LIMIT = 1000
LABEL_LIMIT = 80  # characters
LARGEST_NUMBER = 1e100  # larger ones overflow when an area or a scale is computed


class BadPlot(UserError):
    """The file is not the CSV that was promised; said in the report in place of the plot."""


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """`counts` maps (actual, predicted) to how often; `classes` are in the order in which people expect them."""

    classes: tuple[str, ...]
    counts: dict[tuple[str, str], int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def correct(self) -> int:
        return sum(count for (actual, predicted), count in self.counts.items() if actual == predicted)

    def recall(self, actual: str) -> float | None:
        """The share of a class that was recognised; None for a class that never occurred."""
        of_class = sum(self.counts.get((actual, predicted), 0) for predicted in self.classes)
        return self.counts.get((actual, actual), 0) / of_class if of_class else None

    def confusions(self) -> list[tuple[str, str, int]]:
        """(actual, predicted, count) of what was mistaken for something else, the most frequent first."""
        wrong = [(*pair, count) for pair, count in self.counts.items() if pair[0] != pair[1]]
        return sorted(wrong, key=lambda entry: (-entry[2], entry[0], entry[1]))


@dataclass(frozen=True, slots=True)
class Curve:
    """At most DRAWN_POINTS points, in the file's order. `area` is the area under a ROC curve, of all points."""

    x_label: str
    y_label: str
    points: tuple[tuple[float, float], ...]
    area: float | None = None

    @property
    def is_roc(self) -> bool:
        return (self.x_label.lower(), self.y_label.lower()) == ("fpr", "tpr")


ParsedPlot = ConfusionMatrix | Curve | BadPlot


def parse_plot(plot: Plot, content: bytes) -> ParsedPlot | None:
    """The drawn plot, or what is wrong with it; None for a plot that is shown as it is."""
    try:
        if plot.kind is PlotKind.CONFUSION_MATRIX:
            return confusion_matrix(content)
        return curve(content) if plot.kind is PlotKind.CURVE else None
    except BadPlot as problem:
        return problem


def confusion_matrix(content: bytes) -> ConfusionMatrix:
    """One row per example (`actual,predicted`), or per pair with its `count`. Raises BadPlot."""
    rows = _rows(content)
    header = [name.strip().lower() for name in next(rows, [])]
    if not {"actual", "predicted"} <= set(header):
        raise BadPlot(
            f"the header is `{_shown(','.join(header))}`, expected `actual,predicted`.",
            "Write one row per example, with the true and the predicted class.",
        )
    places = header.index("actual"), header.index("predicted")
    count_at = header.index("count") if "count" in header else None
    counts: Counter[tuple[str, str]] = Counter()
    for number, row in enumerate(rows, start=2):
        if len(row) < len(header):
            raise BadPlot(f"row {number} has {len(row)} values, expected {len(header)}.")
        pair = row[places[0]].strip()[:LABEL_LIMIT], row[places[1]].strip()[:LABEL_LIMIT]
        counts[pair] += 1 if count_at is None else _count(row[count_at], number)
    classes = {label for pair in counts for label in pair}
    if not classes:
        raise BadPlot("there are no rows below the header.")
    if len(classes) > CLASS_LIMIT:
        raise BadPlot(f"there are {len(classes)} classes, more than {CLASS_LIMIT}.")
    return ConfusionMatrix(tuple(sorted(classes, key=_class_order)), dict(counts))


def curve(content: bytes) -> Curve:
    """Two columns of numbers under a header, such as `fpr,tpr`; further columns are left out. Raises BadPlot."""
    rows = _rows(content)
    header = [name.strip()[:LABEL_LIMIT] for name in next(rows, [])]
    if len(header) < 2 or any(_is_number(name) for name in header[:2]):
        raise BadPlot(
            f"the header is `{_shown(','.join(header))}`, expected the names of two columns.",
            "Begin the file with a line such as `fpr,tpr`.",
        )
    lowered = [name.lower() for name in header]
    x_at, y_at = (lowered.index("fpr"), lowered.index("tpr")) if {"fpr", "tpr"} <= set(lowered) else (0, 1)
    points = [(_number(row, x_at, number), _number(row, y_at, number)) for number, row in enumerate(rows, start=2)]
    if len(points) < 2:
        raise BadPlot(f"a curve needs two points, found {len(points)}.")
    drawn = tuple(_thinned(points, DRAWN_POINTS))
    shape = Curve(header[x_at], header[y_at], drawn)
    return Curve(shape.x_label, shape.y_label, drawn, _area(points)) if shape.is_roc else shape


def _rows(content: bytes) -> Iterator[list[str]]:
    if len(content) > PLOT_LIMIT_BYTES:
        raise BadPlot(f"the file is larger than {PLOT_LIMIT_BYTES // 1024 // 1024} MiB.", "Leave out some points.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadPlot(f"the file is not UTF-8: byte {error.start} is not text.") from error
    try:
        yield from (row for row in csv.reader(io.StringIO(text, newline="")) if row)
    except csv.Error as error:
        raise BadPlot(f"the file is not CSV: {error}.") from error


def _count(text: str, number: int) -> int:
    if not (text.strip().isascii() and text.strip().isdecimal() and len(text) < 16):
        raise BadPlot(f"row {number}: the count `{_shown(text)}` is not a whole number.")
    return int(text)


def _number(row: Sequence[str], place: int, number: int) -> float:
    if place >= len(row):
        raise BadPlot(f"row {number} has {len(row)} values, expected {place + 1}.")
    try:
        value = float(row[place])
    except ValueError:
        raise BadPlot(f"row {number}: `{_shown(row[place])}` is not a number.") from None
    if not abs(value) <= LARGEST_NUMBER:  # `not <=`, so that NaN is refused too
        raise BadPlot(f"row {number}: `{_shown(row[place])}` can not be drawn.")
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _class_order(label: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by letter."""
    value = float(label) if _is_number(label) else math.nan
    return (False, value, label) if math.isfinite(value) else (True, 0.0, label)


def _area(points: Sequence[tuple[float, float]]) -> float:
    """By the trapezoidal rule, whichever way the file runs."""
    return math.fsum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(sorted(points)))


def _thinned(points: Sequence[tuple[float, float]], limit: int) -> Iterator[tuple[float, float]]:
    """Keep the first and last point, and of each stretch between the one that bends most.

    Source: S. Steinarsson, "Downsampling Time Series for Visual Representation" (2013), largest triangle three buckets.
    """
    if len(points) <= limit:
        yield from points
        return
    size = (len(points) - 2) / (limit - 2)
    stretches = [points[1 + int(i * size) : 1 + int((i + 1) * size)] for i in range(limit - 2)]
    kept = points[0]
    yield kept
    for stretch, following in zip(stretches, [*stretches[1:], points[-1:]], strict=True):
        middle = (
            math.fsum(x for x, _ in following) / len(following),
            math.fsum(y for _, y in following) / len(following),
        )
        kept = max(stretch, key=lambda point, a=kept, c=middle: _triangle(a, point, c))  # type: ignore[misc]  # defaults bind the loop's values
        yield kept
    yield points[-1]


def _triangle(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return abs((a[0] - c[0]) * (b[1] - a[1]) - (a[0] - b[0]) * (c[1] - a[1]))
