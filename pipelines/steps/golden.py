"""`golden.json`: rows and what the model said of them in evaluation, which the served model must say again.

`{"inputs": [[17.9, 10.4], …], "predictions": [0, …]}`, written by `evaluate` or `train`, and hostile until it is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.steps.prefix import Prefix

FILE = "golden.json"
GOLDEN_LIMIT_BYTES = 1024 * 1024
ROWS_LIMIT = 100
LARGEST_WHOLE = 2**63 - 1

Value = float | int | str | bool
Prediction = Value | list[Value]


class BadGolden(ValueError):
    """What is wrong with the file, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class Golden:
    """`inputs` are rows of one length, all of numbers or all of text. A prediction is a value, or a row of values."""

    inputs: list[list[Value]]
    predictions: list[Prediction]

    @property
    def is_text(self) -> bool:
        return isinstance(self.inputs[0][0], str)


def keep_golden(output: Path, prefix: Prefix, say: Callable[[str], None]) -> dict[str, Any]:
    """What is fit goes into the prefix; what is not is said. Gives `golden_rows` when there are any."""
    path = output / FILE
    if path.is_symlink() or not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            golden = parse_golden(file.read(GOLDEN_LIMIT_BYTES + 1))
    except BadGolden as bad:
        say(f"{FILE} is left out: {bad}. A deployment of this model will not be tried on golden rows.")
        return {}
    document = {"inputs": golden.inputs, "predictions": golden.predictions}
    prefix.write(FILE, json.dumps(document, allow_nan=False).encode())
    rows = len(golden.inputs)
    say(f"Kept {rows} golden row{'' if rows == 1 else 's'}, on which a deployment of this model will be tried.")
    return {"golden_rows": rows}


def parse_golden(content: bytes) -> Golden:
    """Raises BadGolden."""
    if len(content) > GOLDEN_LIMIT_BYTES:
        raise BadGolden(f"it is larger than {GOLDEN_LIMIT_BYTES // 1024**2} MiB")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadGolden(f"it is not JSON ({error})") from error
    if not isinstance(document, dict) or not {"inputs", "predictions"} <= document.keys():
        raise BadGolden("it is not an object with `inputs` and `predictions`")
    inputs, predictions = _list(document, "inputs"), _list(document, "predictions")
    if not 1 <= len(inputs) <= ROWS_LIMIT:
        raise BadGolden(f"it has {len(inputs)} rows, and must have 1 to {ROWS_LIMIT}")
    if len(predictions) != len(inputs):
        raise BadGolden(f"it has {len(inputs)} rows, but {len(predictions)} predictions")
    return Golden(_table("inputs", inputs, bool_allowed=False), _predictions(predictions))


def _predictions(predictions: Sequence[Any]) -> list[Prediction]:
    if any(isinstance(prediction, list) for prediction in predictions):
        return list(_table("predictions", predictions, bool_allowed=True))
    return [_value(f"predictions[{row}]", value, bool_allowed=True) for row, value in enumerate(predictions)]


def _table(name: str, rows: Sequence[Any], *, bool_allowed: bool) -> list[list[Value]]:
    table = []
    for number, row in enumerate(rows):
        if not isinstance(row, list) or not row:
            raise BadGolden(f"{name}[{number}] is not a list with something in it")
        if len(row) != len(rows[0]):
            raise BadGolden(f"{name}[{number}] has {len(row)} values, and the row before it {len(rows[0])}")
        table.append(
            [_value(f"{name}[{number}][{i}]", value, bool_allowed=bool_allowed) for i, value in enumerate(row)]
        )
    if not bool_allowed and len({isinstance(value, str) for row in table for value in row}) > 1:
        raise BadGolden(f"{name} mixes numbers and text, which can not be sent as one tensor")
    return table


def _value(place: str, value: Any, *, bool_allowed: bool) -> Value:
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise BadGolden(f"{place} is text with half a character")
        return value
    if isinstance(value, bool) and bool_allowed:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadGolden(f"{place} is neither a number nor text")
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise BadGolden(f"{place} is larger than 64 bits can hold")
    if not math.isfinite(value):
        raise BadGolden(f"{place} is not finite")
    return value


def _list(document: dict[str, Any], name: str) -> list[Any]:
    value = document[name]
    if not isinstance(value, list):
        raise BadGolden(f"`{name}` is not a list")
    return value
