"""Plain scalars by the core schema of YAML 1.2.2 (its section 10.3.2), as JSON values.

So `on`, `yes` and `2026-11-24` are text, and `0o17` is 15. What JSON does not have is refused.
"""

from __future__ import annotations

import math
import re

from bot.domain.words import quoted

JsonScalar = str | int | float | bool | None

_WORDS: dict[str, JsonScalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o([0-7]+)")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?(?:\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")
_GREATEST_INTEGER = 2**63 - 1  # what databases and other JSON readers keep exactly
_LONGEST_NUMBER = 100  # digits


class NotJsonError(ValueError):
    """A number that JSON does not have; the text says so."""


def resolve_plain(text: str) -> JsonScalar:
    """The value of a plain scalar. Raises NotJsonError."""
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise NotJsonError(f"{quoted(text)} is not a finite number.")
    for pattern, base in ((_OCTAL, 8), (_HEXADECIMAL, 16)):
        match = pattern.fullmatch(text)
        if match:
            return _integer(match.group(1), base, text)
    if _INTEGER.fullmatch(text):
        return _integer(text, 10, text)
    return _float(text) if _FLOAT.fullmatch(text) else text


def is_plain_text(text: str) -> bool:
    """Whether a plain scalar with these characters is text, and not a number, `true` or nothing."""
    try:
        return isinstance(resolve_plain(text), str)
    except NotJsonError:
        return False


def _integer(digits: str, base: int, text: str) -> int:
    # the length first: Python refuses to convert thousands of digits, with a ValueError of its own
    value = int(digits, base) if len(digits) <= _LONGEST_NUMBER else _GREATEST_INTEGER + 1
    if abs(value) > _GREATEST_INTEGER:
        raise NotJsonError(f"{quoted(text)} does not fit in 64 bits.")
    return value


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotJsonError(f"{quoted(text)} is too large for a number.")
    return value
