"""The model's files to a predictor: one function for each runtime."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .estimator import Estimator
from .predictor import Predictor

_PICKLES = ("model.joblib", "model.skops", "model.pkl", "model.pickle")


class NotLoaded(Exception):
    """`str` of it is a sentence for the model's author."""


def load(runtime: str, model: Path, code: Path | None) -> Predictor:
    """Raises NotLoaded, or whatever the model's own code raises."""
    if code is not None:  # pickles may name classes of the repository's modules
        sys.path.insert(0, str(code))
    return _RUNTIMES[runtime](model, code)


def _sklearn(model: Path, _code: Path | None) -> Predictor:
    return Estimator(_estimator(_find(model, _PICKLES)))


def _xgboost(model: Path, _code: Path | None) -> Predictor:
    path = _find(model, ("model.json", "model.ubj", "model.bst", "model.xgb", *_PICKLES))
    if path.suffix in (".joblib", ".skops", ".pkl", ".pickle"):
        return Estimator(_estimator(path))
    from .boosters import load_xgboost

    return load_xgboost(path)


def _lightgbm(model: Path, _code: Path | None) -> Predictor:
    path = _find(model, ("model.txt", "model.bst", "model.lgb", *_PICKLES))
    if path.suffix in (".joblib", ".skops", ".pkl", ".pickle"):
        return Estimator(_estimator(path))
    from .boosters import load_lightgbm

    return load_lightgbm(path)


def _onnx(model: Path, _code: Path | None) -> Predictor:
    from .onnx_model import OnnxModel

    return OnnxModel(_find(model, ("model.onnx",)))


def _python(model: Path, code: Path | None) -> Predictor:
    from .python_model import PythonModel

    path = None if code is None else code / "predict.py"
    if path is None or not path.is_file():
        raise NotLoaded("There is no `predict.py` in the model's folder of the repository.")
    spec = importlib.util.spec_from_file_location("predict", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["predict"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not callable(getattr(module, "predict", None)):
        raise NotLoaded("`predict.py` has no function `predict(inputs)`.")
    if hasattr(module, "load"):
        module.load(str(model))
    return PythonModel(module.predict)


_RUNTIMES: dict[str, Callable[[Path, Path | None], Predictor]] = {
    "sklearn": _sklearn,
    "xgboost": _xgboost,
    "lightgbm": _lightgbm,
    "onnx": _onnx,
    "python": _python,
}


def _find(model: Path, names: tuple[str, ...]) -> Path:
    """By its usual name, or the only file of a usual kind."""
    for name in names:
        if (model / name).is_file():
            return model / name
    files = sorted(path for path in model.rglob("*") if path.is_file())
    suffixes = {Path(name).suffix for name in names}
    fitting = [path for path in files if path.suffix in suffixes]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(path.relative_to(model).as_posix() for path in files[:10])
    raise NotLoaded(f"There is no {_any_of(names)} among the model's files: {there}.")


def _any_of(names: tuple[str, ...]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def _estimator(path: Path) -> Any:
    model = _unpickled(path)
    if not callable(getattr(model, "predict", None)):
        raise NotLoaded(f"What is in `{path.name}` has no `predict`: it is a {type(model).__name__}.")
    return model


def _unpickled(path: Path) -> Any:
    """As trusted as the code that wrote it: the digest was looked at."""
    if path.suffix == ".skops":
        import skops.io

        return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))
    if path.suffix == ".joblib":
        import joblib

        return joblib.load(path)
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 - as above
