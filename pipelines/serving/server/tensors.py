"""Tensors of the Open Inference Protocol to numpy arrays and back, without changing a value on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .invalid import Invalid

Array: TypeAlias = NDArray[Any]

# "Open Inference Protocol (V2)", Tensor Data Types
DATATYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": np.object_,
}
_NAMES = {np.dtype(kind).name: name for name, kind in DATATYPES.items()}


def read_tensor(name: str, datatype: str, shape: Sequence[int], values: Any) -> Array:
    """Raises Invalid."""
    kind = DATATYPES.get(datatype)
    if kind is None:
        raise Invalid(f"Input `{name}` has the datatype `{datatype}`; known are {', '.join(DATATYPES)}.")
    array = _text(name, values) if kind is np.object_ else _numbers(name, datatype, np.dtype(kind), values)
    if any(length < 0 for length in shape) or int(np.prod(shape, dtype=object)) != array.size:
        raise Invalid(f"Input `{name}` has {array.size} values, which do not fill its shape {list(shape)}.")
    return array.reshape(shape)


def datatype_of(array: Array) -> str:
    """Raises TypeError for what no tensor can hold."""
    try:
        return _NAMES[array.dtype.name]
    except KeyError:
        raise TypeError(f"A tensor can not hold values of the type {array.dtype}.") from None


def output_array(prediction: Any) -> Array:
    """What a model said, as an array that a tensor can hold. Raises TypeError."""
    array = np.asarray(prediction)
    if array.dtype.kind in "USM":
        array = array.astype(object)
    if array.dtype == np.longdouble:
        array = array.astype(np.float64)
    if array.dtype == object:
        array = np.frompyfunc(_as_text, 1, 1)(array) if array.size else array
        array = np.asarray(array, dtype=object)
    datatype_of(array)
    return array


def _numbers(name: str, datatype: str, kind: np.dtype[Any], values: Any) -> Array:
    try:
        array = np.asarray(values)
    except ValueError:
        raise Invalid(f"Input `{name}` has rows of different lengths.") from None
    if array.size == 0:
        return array.astype(kind)
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise Invalid(f"Input `{name}` is said to be {datatype}, and has values that are not.")
    if kind.kind in "iu":
        return _whole(name, datatype, kind, array)
    if kind.kind == "b" and not np.isin(array, (0, 1)).all():
        raise Invalid(f"Input `{name}` is said to be BOOL, and has values other than true and false.")
    return array.astype(kind, copy=False)


def _whole(name: str, datatype: str, kind: np.dtype[Any], array: Array) -> Array:
    if array.dtype == kind:
        return array
    limits = np.iinfo(kind)
    if array.dtype.kind == "f" and not (array == np.floor(array)).all():
        raise Invalid(f"Input `{name}` is said to be {datatype}, and has values that are not whole.")
    if array.min() < limits.min or array.max() > limits.max:
        raise Invalid(f"Input `{name}` has values that {datatype} can not hold.")
    return array.astype(kind)


def _text(name: str, values: Any) -> Array:
    try:
        array = np.asarray(values, dtype=object)
    except ValueError:
        raise Invalid(f"Input `{name}` has rows of different lengths.") from None
    if not all(isinstance(value, (str, bytes)) for value in array.flat):
        raise Invalid(f"Input `{name}` is said to be BYTES, and has values that are not text.")
    return np.asarray(np.frompyfunc(_as_text, 1, 1)(array), dtype=object) if array.size else array


def _as_text(value: Any) -> Any:
    """Bytes that are UTF-8 are text to a model; other bytes stay what they are."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value if isinstance(value, str) else str(value)
