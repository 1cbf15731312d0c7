"""ONNX files, with onnxruntime on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from .invalid import Invalid
from .tensors import Array, datatype_of

# onnxruntime's names for the elements of a tensor
_KINDS: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
    **{f"tensor({name})": getattr(np, name) for name in ("int8", "int16", "int32", "int64")},
    **{f"tensor({name})": getattr(np, name) for name in ("uint8", "uint16", "uint32", "uint64")},
}


class OnnxModel:
    def __init__(self, path: Path) -> None:
        self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self._inputs = {one.name: one for one in self._session.get_inputs()}
        # maps and sequences, as converters make them of probabilities, are no tensors
        self._outputs = [one for one in self._session.get_outputs() if one.type in _KINDS]

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [_metadata(one) for one in self._inputs.values() if one.type in _KINDS]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        return [_metadata(one) for one in self._outputs]

    def predict(self, inputs: Mapping[str, Array]) -> Mapping[str, Any]:
        if len(inputs) == 1 and len(self._inputs) == 1:  # then it is clear which one is meant
            inputs = dict(zip(self._inputs, inputs.values(), strict=True))
        if inputs.keys() != self._inputs.keys():
            raise Invalid(f"The model takes the inputs {', '.join(self._inputs)}.")
        tensors = {name: _cast(name, array, self._inputs[name]) for name, array in inputs.items()}
        names = [one.name for one in self._outputs]
        try:
            return dict(zip(names, self._session.run(names, tensors), strict=True))
        except onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise Invalid(f"The model can not predict from this: {error}") from error


def _cast(name: str, array: Array, wanted: Any) -> Array:
    kind = np.dtype(_KINDS.get(wanted.type, array.dtype))
    if (kind.kind == "O") != (array.dtype.kind == "O"):
        raise Invalid(f"Input `{name}` must be {wanted.type}.")
    return array.astype(kind, copy=False)


def _metadata(one: Any) -> dict[str, Any]:
    shape = [length if isinstance(length, int) else -1 for length in one.shape]
    return {"name": one.name, "datatype": datatype_of(np.empty(0, _KINDS[one.type])), "shape": shape}
