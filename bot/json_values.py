"""Values of JSON that others wrote, taken only for what they should be: TypeError and ValueError say what was found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

DEEPEST = 20  # levels of params
LARGEST_WHOLE = 2**63 - 1  # what databases and other languages hold


def optional(value: Any, convert: Callable[[Any], T]) -> T | None:
    return None if value is None else convert(value)


def text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {type(value).__name__}")
    return value


def mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, found {type(value).__name__}")
    return value


def shallow(value: T, depth: int = DEEPEST) -> T:
    """Deeper values could be read, but neither stored nor shown."""
    if depth == 0:
        raise ValueError(f"expected at most {DEEPEST} levels")
    items: Iterable[Any] = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for item in items:
        shallow(item, depth - 1)
    return value


def finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {str(value)[:40]!r}")
    return float(value)


def whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_WHOLE:
        raise ValueError(f"expected a whole number of 64 bits, found {str(value)[:40]!r}")
    return value
