"""XGBoost's and LightGBM's own files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .estimator import OUTPUT, Estimator
from .invalid import Invalid
from .predictor import Predictor
from .tensors import Array


def load_xgboost(path: Path) -> Predictor:
    """As what wrote it: a classifier predicts classes, a bare booster whatever its objective gives."""
    import xgboost

    booster = xgboost.Booster(model_file=path)
    kind = json.loads(booster.attr("scikit_learn") or "{}").get("_estimator_type")
    wrapper = {"classifier": xgboost.XGBClassifier, "regressor": xgboost.XGBRegressor}.get(kind)
    if wrapper is None:
        names = booster.feature_names

        def predict(rows: Array) -> Any:
            return booster.predict(xgboost.DMatrix(rows, feature_names=names))

        return Booster(predict, booster.num_features(), xgboost.core.XGBoostError)
    model = wrapper()
    model.load_model(path)
    return Estimator(model)


def load_lightgbm(path: Path) -> Predictor:
    import lightgbm

    booster = lightgbm.Booster(model_file=str(path))
    return Booster(booster.predict, booster.num_feature(), lightgbm.basic.LightGBMError)


class Booster:
    def __init__(self, predict: Any, width: int, error: type[Exception]) -> None:
        self._predict = predict
        self._width = width
        self._error = error

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [{"name": "input-0", "datatype": "FP64", "shape": [-1, self._width]}]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return []

    def predict(self, inputs: Mapping[str, Array]) -> Mapping[str, Any]:
        if len(inputs) != 1:
            raise Invalid(f"The model takes one tensor of the shape [n, {self._width}].")
        rows = next(iter(inputs.values()))
        if rows.ndim != 2 or rows.shape[1] != self._width or rows.dtype.kind not in "biuf":
            raise Invalid(f"The model takes numbers of the shape [n, {self._width}], not {list(rows.shape)}.")
        try:
            return {OUTPUT: self._predict(rows)}
        except (ValueError, self._error) as error:
            raise Invalid(f"The model can not predict from this: {error}") from error
