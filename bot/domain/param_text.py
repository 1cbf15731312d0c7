"""What a param's text may mean as a JSON value."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.domain.project import JsonValue

Fragment = Mapping[str, Any]

LARGEST_INTEGER = 2**63 - 1  # what numpy, pandas and every JSON reader can hold
DEEPEST_LIST = 8
_LONGEST_NUMBER = 40  # characters
_INTEGER = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class _Unread(Exception):
    """The text does not mean a value of this kind."""


def readings(text: str, fragment: Fragment) -> Iterator[JsonValue]:
    """Values that the text may mean, the likeliest first; none when it means none of the fragment's types."""
    for kind in _kinds(fragment):
        try:
            yield _READERS[kind](text, fragment)
        except _Unread:
            continue


def is_too_large(text: str) -> bool:
    """Whether it is a number that is not taken for its size."""
    return _NUMBER.fullmatch(text) is not None and abs(float(text)) > LARGEST_INTEGER


def _kinds(fragment: Fragment) -> list[str]:
    """Types to try, text last, for every text is one. Without `type`, choices or a default of text mean text."""
    declared = fragment.get("type")
    if declared is not None:
        kinds = [declared] if isinstance(declared, str) else list(declared)
        return [kind for kind in _READERS if kind in kinds]
    examples = [fragment[name] for name in ("const", "default") if name in fragment]
    examples += fragment.get("enum") or []
    if examples and all(isinstance(value, str) for value in examples):
        return ["string"]
    return list(_READERS)


def _null(text: str, _fragment: Fragment) -> None:
    if text.casefold() not in ("null", "none"):
        raise _Unread


def _boolean(text: str, _fragment: Fragment) -> bool:
    if text.casefold() not in _BOOLEANS:
        raise _Unread
    return _BOOLEANS[text.casefold()]


def _integer(text: str, _fragment: Fragment) -> int:
    value = _number(text, _fragment)
    if not float(value).is_integer() or abs(value) > LARGEST_INTEGER:
        raise _Unread
    return int(value)


def _number(text: str, _fragment: Fragment) -> int | float:
    """Whole numbers stay exact up to 64 bits."""
    if len(text) <= _LONGEST_NUMBER and _INTEGER.fullmatch(text) and abs(int(text)) <= LARGEST_INTEGER:
        return int(text)
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise _Unread
    return float(text)


def _array(text: str, fragment: Fragment) -> list[JsonValue]:
    """JSON, or one level of items without quotes: `[age, income]`."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")) or _depth(text) > DEEPEST_LIST:
        raise _Unread
    try:
        value = json.loads(text, parse_int=_json_number, parse_float=_json_number, parse_constant=_json_constant)
    except ValueError:
        return [_item(item.strip(), fragment) for item in text[1:-1].split(",")]
    if not isinstance(value, list):
        raise _Unread
    return value


def _item(text: str, fragment: Fragment) -> JsonValue:
    items = fragment.get("items")
    if not text or _depth(text):
        raise _Unread
    for value in readings(text, items if isinstance(items, Mapping) else {}):
        return value
    raise _Unread


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest


def _json_number(text: str) -> int | float:
    try:
        return _number(text, {})
    except _Unread:
        raise ValueError("a number out of range") from None


def _json_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _text(text: str, _fragment: Fragment) -> str:
    return text


_READERS: Mapping[str, Callable[[str, Fragment], JsonValue]] = {
    "null": _null,
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "array": _array,
    "string": _text,
}
