"""One line for each thing that was measured, against its goal and what the bare scripts took in the same run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Literal

HEADINGS = ("measurement", "value", "goal", "reference", "ratio", "")


@dataclass(frozen=True, slots=True)
class Row:
    """`reference` is the same without mlops-bot; `ratio` is what the whole took, divided by it."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    sense: Literal["at most", "at least"] = "at most"
    reference: float | None = None
    reference_name: str = ""
    ratio: float | None = None

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        good = self.value <= self.goal if self.sense == "at most" else self.value >= self.goal
        return "ok" if good else "over" if self.sense == "at most" else "under"


def overhead(name: str, totals: Sequence[float], bares: Sequence[float], *, goal: float | None = None) -> Row:
    """What came on top of the bare scripts: the median of pairs that were measured one after the other."""
    over = median(total - bare for total, bare in zip(totals, bares, strict=True))
    bare = median(bares)
    return Row(name, over, "s", goal, reference=bare, reference_name="bare", ratio=median(totals) / bare)


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([asdict(row) | {"verdict": row.verdict} for row in rows], indent=2)


def as_text(rows: Sequence[Row]) -> str:
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    ruled = [cells[0], tuple("-" * width for width in widths), *cells[1:]]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in ruled
    )


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _cells(row: Row) -> tuple[str, ...]:
    sign = "≤" if row.sense == "at most" else "≥"
    goal = "" if row.goal is None else f"{sign} {_number(row.goal, row.unit)}"
    reference = "" if row.reference is None else f"{row.reference_name} {_number(row.reference, row.unit)}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return (row.name, _number(row.value, row.unit), goal, reference, ratio, row.verdict)


def _number(value: float, unit: str) -> str:
    digits = 2 if unit in ("s", "%") else 1 if unit == "ms" else 0
    return f"{value:,.{digits}f} {unit}"
