"""`metrics.json`: `{"accuracy": 0.97}` or `{"accuracy": {"value": 0.97, "std": 0.01}}`. It comes from outside."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pipelines.steps.failure import FailureKind, StepFailed

METRICS_LIMIT_BYTES = 1024 * 1024
METRICS_LIMIT = 500
NAME_LIMIT_CHARACTERS = 200
SHOWN_CHARACTERS = 60  # nothing is cut: half of a secret would not be masked
_FORM = 'Write one JSON object of numbers to it, for example {"accuracy": 0.97}.'

Metrics = dict[str, dict[str, float | None]]


def read_metrics(path: Path, *, missing: str) -> Metrics:
    """Raises StepFailed in words of its own for each way to be wrong. `missing` is said when there is no file."""
    if path.is_symlink() or not path.is_file():
        raise StepFailed(
            FailureKind.NO_METRICS,
            missing,
            fix="Write metrics.json into the folder that the variable MLOPS_OUTPUT_DIR names.",
        )
    if path.stat().st_size > METRICS_LIMIT_BYTES:
        raise _bad(f"metrics.json is larger than {METRICS_LIMIT_BYTES // 1024**2} MB.", "Keep only numbers in it.")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise _bad(f"metrics.json is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise _bad(f"metrics.json holds {_kind(document)}, not an object.")
    if not document:
        raise _bad("metrics.json holds no metric.")
    if len(document) > METRICS_LIMIT:
        raise _bad(f"metrics.json holds {len(document)} metrics; at most {METRICS_LIMIT} are read.")
    return {_name(name): _metric(name, value) for name, value in document.items()}


def _name(name: str) -> str:
    if not name.strip() or len(name) > NAME_LIMIT_CHARACTERS or not name.isprintable():
        shown = repr(name) if len(name) <= SHOWN_CHARACTERS else f"of {len(name)} characters"
        raise _bad(f"metrics.json has a metric with the name {shown}.", "Use a short, printable name.")
    return name


def _metric(name: str, value: Any) -> dict[str, float | None]:
    if isinstance(value, dict):
        if "value" not in value:
            raise _bad(f"The metric `{name}` in metrics.json is an object without `value`.")
        std = value.get("std")
        return {"value": _number(name, value["value"]), "std": None if std is None else _number(f"{name}.std", std)}
    return {"value": _number(name, value), "std": None}


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _bad(f"The metric `{name}` in metrics.json is {_kind(value)}, not a number.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise _bad(f"The metric `{name}` in metrics.json is NaN (not a number).", _DIVERGED)
    if math.isinf(number):
        raise _bad(f"The metric `{name}` in metrics.json is infinite.", _DIVERGED)
    return number


_DIVERGED = "The training may have diverged, or a metric was computed over nothing."


def _bad(message: str, fix: str = _FORM) -> StepFailed:
    return StepFailed(FailureKind.BAD_METRICS, message, fix=fix)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {json.dumps(value)}" if len(value) <= SHOWN_CHARACTERS else "a long text"
    if isinstance(value, list):
        return "a list"
    return "an object" if isinstance(value, dict) else "a number"
