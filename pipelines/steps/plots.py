"""Plots that a command left in `plots/`: what is fit to be shown is taken, the rest is said in the log."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PLOTS_LIMIT = 50
PLOT_LIMIT_BYTES = 5 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_TITLES = {"roc": "ROC curve", "pr": "Precision-recall curve", "confusion_matrix": "Confusion matrix"}
_KFP_POINTS_LIMIT = 500  # Kubeflow keeps metadata in its database
_CLASSES_LIMIT = 50

Say = Callable[[str], None]


def collect_plots(folder: Path, put: Callable[[Path, str], None], say: Say) -> list[dict[str, str]]:
    """Puts each good plot at `plots/<name>` of the prefix, and gives the list for result.json."""
    plots: list[dict[str, str]] = []
    if folder.is_symlink() or not folder.is_dir():
        return plots
    for file in sorted(folder.iterdir()):
        kind, problem = _kind(file)
        if not problem and len(plots) == PLOTS_LIMIT:
            problem = f"at most {PLOTS_LIMIT} plots are kept"
        if problem:
            say(f"The plot {file.name[:100]!r} is left out: {problem}.")
            continue
        put(file, f"plots/{file.name}")
        plots.append({"path": f"plots/{file.name}", "kind": kind, "title": _title(file.stem)})
    return plots


def _kind(file: Path) -> tuple[str, str]:
    """The kind, or what is wrong."""
    if not _NAME.fullmatch(file.name):
        return "", "its name has other characters than letters, digits, `.`, `_` and `-`"
    if file.is_symlink() or not file.is_file():
        return "", "it is not a plain file"
    if file.stat().st_size > PLOT_LIMIT_BYTES:
        return "", f"it is larger than {PLOT_LIMIT_BYTES // 1024**2} MB"
    check = {".png": _png, ".svg": _svg, ".json": _vega_lite, ".csv": _table}.get(file.suffix.lower())
    return check(file) if check else ("", "it is neither PNG, SVG, Vega-Lite JSON nor CSV")


def _png(file: Path) -> tuple[str, str]:
    with file.open("rb") as content:
        is_png = content.read(8) == b"\x89PNG\r\n\x1a\n"
    return ("image", "") if is_png else ("", "it is not a PNG picture")


def _svg(file: Path) -> tuple[str, str]:
    with file.open("rb") as content:
        is_svg = b"<svg" in content.read(4096)
    return ("image", "") if is_svg else ("", "it is not an SVG picture")


def _vega_lite(file: Path) -> tuple[str, str]:
    try:
        document = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return "", "it is not JSON"
    schema = document.get("$schema") if isinstance(document, dict) else None
    is_vega_lite = isinstance(schema, str) and "vega-lite" in schema
    return ("vega_lite", "") if is_vega_lite else ("", "its `$schema` does not name Vega-Lite")


def _table(file: Path) -> tuple[str, str]:
    header, rows = _rows(file)
    if header == ["actual", "predicted"]:
        return ("confusion_matrix", "") if rows else ("", "it has no rows")
    if file.stem == "confusion_matrix":
        return "", "its columns are not `actual,predicted`"
    if len(header) != 2:
        return "", "a curve has two columns"
    if not rows or not all(_are_numbers(row) for row in rows):
        return "", "a curve has only numbers below its header"
    return "curve", ""


def _rows(file: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as table:
            rows = [row for row in csv.reader(table) if row]
    except (UnicodeDecodeError, csv.Error):
        return [], []
    return ([cell.strip() for cell in rows[0]], rows[1:]) if rows else ([], [])


def _are_numbers(row: Sequence[str]) -> bool:
    try:
        return len(row) == 2 and all(math.isfinite(float(cell)) for cell in row)
    except ValueError:
        return False


def _title(stem: str) -> str:
    if stem in _TITLES:
        return _TITLES[stem]
    words = re.sub(r"[_-]+", " ", stem).strip()
    return words[:1].upper() + words[1:] if words else stem


def for_kubeflow(folder: Path, plots: Sequence[dict[str, str]]) -> dict[str, Any]:
    """The metadata of a ClassificationMetrics artifact: confusion matrix and ROC curve, as Kubeflow's UI draws them.

    Source: kfp.dsl.ClassificationMetrics, whose methods build the same.
    """
    metadata: dict[str, Any] = {}
    for plot in plots:
        file = folder / Path(plot["path"]).name
        if plot["kind"] == "confusion_matrix":
            metadata |= _confusion_matrix(_rows(file)[1])
        elif plot["path"] == "plots/roc.csv":
            metadata |= _confidence_metrics(*_rows(file))
    return metadata


def _confusion_matrix(rows: list[list[str]]) -> dict[str, Any]:
    pairs = [(row[0], row[1]) for row in rows if len(row) == 2]
    classes = sorted({name for pair in pairs for name in pair})
    if len(classes) > _CLASSES_LIMIT:
        return {}
    counts: dict[tuple[str, str], int] = {}
    for pair in pairs:
        counts[pair] = counts.get(pair, 0) + 1
    return {
        "confusionMatrix": {
            "annotationSpecs": [{"displayName": name} for name in classes],
            "rows": [{"row": [counts.get((actual, guess), 0) for guess in classes]} for actual in classes],
        }
    }


def _confidence_metrics(header: list[str], rows: list[list[str]]) -> dict[str, Any]:
    if header != ["fpr", "tpr"]:
        return {}
    every = max(1, math.ceil(len(rows) / _KFP_POINTS_LIMIT))
    points = [(float(row[0]), float(row[1])) for row in rows[::every]]
    # roc.csv has no thresholds, and Kubeflow's UI needs one for each point: the order alone is told
    return {
        "confidenceMetrics": [
            {"confidenceThreshold": 1 - i / len(points), "falsePositiveRate": fpr, "recall": tpr}
            for i, (fpr, tpr) in enumerate(points)
        ]
    }
