"""Models with scikit-learn's `predict`: pipelines and estimators, XGBoost's and LightGBM's among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .invalid import Invalid
from .tensors import Array

OUTPUT = "predict"


class Estimator:
    def __init__(self, model: Any) -> None:
        self._model = model
        names = getattr(model, "feature_names_in_", None)
        self._columns: list[Any] | None = None if names is None else list(names)
        self._width: int | None = getattr(model, "n_features_in_", None)

    @property
    def inputs(self) -> list[dict[str, Any]]:
        if self._width is None:
            return []
        return [{"name": "input-0", "datatype": "FP64", "shape": [-1, self._width]}]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return []

    def predict(self, inputs: Mapping[str, Array]) -> Mapping[str, Any]:
        rows = self._rows(next(iter(inputs.values()))) if len(inputs) == 1 else self._table(inputs)
        try:
            return {OUTPUT: self._model.predict(rows)}
        except ValueError as error:  # how scikit-learn says that it can not take what it was given
            raise Invalid(f"The model can not predict from this: {error}") from error

    def _rows(self, array: Array) -> Any:
        if self._width is None:  # text, for which scikit-learn has no number of features
            is_text_column = array.dtype == object and array.ndim == 2 and array.shape[1] == 1
            return array.ravel() if is_text_column else array
        if array.ndim != 2:
            raise Invalid(f"The model takes rows: a tensor of the shape [n, {self._width}], not {list(array.shape)}.")
        if array.shape[1] != self._width:
            raise Invalid(f"The model takes {self._width} values a row, and was given {array.shape[1]}.")
        return array if self._columns is None else self._frame(array)

    def _frame(self, array: Array) -> Any:
        """As in training: its columns may be chosen by name, and have types of their own."""
        import pandas as pd

        frame = pd.DataFrame(array, columns=self._columns)
        return frame.infer_objects() if array.dtype == object else frame

    def _table(self, inputs: Mapping[str, Array]) -> Any:
        """A tensor for each column."""
        import pandas as pd

        wanted = self._columns or list(inputs)
        missing = [str(name) for name in wanted if name not in inputs]
        unknown = [name for name in inputs if name not in wanted]
        if missing or unknown:
            raise Invalid(
                f"The model takes the columns {', '.join(map(str, wanted))}."
                + (f" Missing: {', '.join(missing)}." if missing else "")
                + (f" Unknown: {', '.join(unknown)}." if unknown else "")
            )
        lengths = {array.size for array in inputs.values()}
        if len(lengths) != 1 or any(array.size != len(array) for array in inputs.values() if array.ndim):
            raise Invalid("Each column must have one value a row, and all as many rows.")
        return pd.DataFrame({name: np.ravel(inputs[name]) for name in wanted})
