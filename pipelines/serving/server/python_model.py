"""The repository's own `predict.py`: `predict(inputs)`, and `load(model_dir)` if it likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .invalid import Invalid
from .tensors import Array

OUTPUT = "predict"


class PythonModel:
    """`predict` gets an array, or a dict of arrays when there are several inputs, and gives something array-like, or
    a dict of such. A ValueError that it raises is about the input."""

    def __init__(self, predict: Callable[[Any], Any]) -> None:
        self._predict = predict

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return []

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return []

    def predict(self, inputs: Mapping[str, Array]) -> Mapping[str, Any]:
        given = next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)
        try:
            prediction = self._predict(given)
        except ValueError as error:
            raise Invalid(f"predict.py can not take this: {error}") from error
        if isinstance(prediction, dict):
            return {str(name): value for name, value in prediction.items()}
        return {OUTPUT: prediction}
