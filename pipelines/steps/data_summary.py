"""What a table holds, so that a report can say how the data differ from those before."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

CSV_LIMIT_BYTES = 5 * 1024 * 1024
COLUMN_LIMIT = 200
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


def summarise(folder: Path) -> dict[str, Any]:
    """`rows` and `columns` where the data are one CSV file of modest size; empty otherwise."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    if len(files) != 1 or files[0].suffix.lower() != ".csv" or files[0].stat().st_size > CSV_LIMIT_BYTES:
        return {}
    try:
        with files[0].open(newline="", encoding="utf-8-sig") as table:
            rows = list(csv.reader(table))
    except (UnicodeDecodeError, csv.Error):
        return {}
    rows = [row for row in rows if row]
    if not rows:
        return {}
    header, *body = rows
    columns = [_column(name, [row[i] if i < len(row) else "" for row in body]) for i, name in enumerate(header)]
    return {"rows": len(body), "columns": columns[:COLUMN_LIMIT]}


def _column(name: str, cells: list[str]) -> dict[str, Any]:
    present = [cell for cell in cells if cell.strip().lower() not in _MISSING]
    column: dict[str, Any] = {"name": name[:200], "missing": len(cells) - len(present), "mean": None, "std": None}
    try:
        values = [float(cell) for cell in present]
    except ValueError:
        return column
    if not values or not all(map(math.isfinite, values)):
        return column
    column["mean"], column["std"] = _mean_and_std(values)
    return column


def _mean_and_std(values: list[float]) -> tuple[float | None, float | None]:
    """The sample's standard deviation, as pandas gives it. None where it is too large for a double."""
    try:
        mean = math.fsum(values) / len(values)
        if len(values) == 1:
            return mean, None
        std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    except OverflowError:
        return None, None
    return mean, std
