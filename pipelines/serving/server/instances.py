"""Version 1 of the protocol: `{"instances": [[…], …]}`, or a list of objects with a value for each column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .invalid import Invalid
from .tensors import Array


def read_instances(payload: Any) -> Mapping[str, Array]:
    """Raises Invalid."""
    instances = payload.get("instances") if isinstance(payload, dict) else None
    if not isinstance(instances, list) or not instances:
        raise Invalid('Send {"instances": [[…], …]} as application/json: a list with a row for each prediction.')
    if not all(isinstance(row, dict) for row in instances):
        return {"instances": _array(instances)}
    columns = list(instances[0])
    if any(row.keys() != instances[0].keys() for row in instances):
        raise Invalid("All instances must have the same names.")
    return {str(name): _array([row[name] for row in instances]) for name in columns}


def _array(values: list[Any]) -> Array:
    """Numbers are numbers; as soon as there is text among them, each value stays what it is."""
    try:
        array = np.asarray(values)
        if array.dtype.kind in "biuf":
            return array
        return np.asarray(values, dtype=object)
    except ValueError:
        raise Invalid("The instances have different shapes.") from None
