"""How dicts and lists travel as pipeline arguments without being changed on the way.

Kubeflow keeps parameters as protobuf values, whose only number is a double: 200 arrives as 200.0 and 2**60 is rounded.
It also resolves placeholders (`{{$…}}`) in text that came from outside. So they travel as JSON text in which no
placeholder is left: `pack` before a run is submitted, `unpack` in each step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_KEY = "json"


def pack(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Text stays as it is; everything else is packed."""
    return {name: _packed(value) if isinstance(value, dict | list) else value for name, value in arguments.items()}


def unpack(value: Any) -> Any:
    """Also takes what was submitted by hand, without `pack`: whole doubles become integers again."""
    if isinstance(value, dict) and set(value) == {_KEY}:
        return json.loads(value[_KEY])
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and set(value[0]) == {_KEY}:
        return json.loads(value[0][_KEY])
    return _with_integers(value)


def _packed(value: dict[str, Any] | list[Any]) -> Any:
    # two opening braces side by side occur only inside JSON strings, so one of them may be written as an escape
    packed = {_KEY: json.dumps(value, allow_nan=False).replace("{{", "{\\u007b")}
    return packed if isinstance(value, dict) else [packed]


def _with_integers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _with_integers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    return value
