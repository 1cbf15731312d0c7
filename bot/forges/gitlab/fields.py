"""Reading JSON from outside: whatever a field holds, reading it does not fail."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_LARGEST_ID = 2**63 - 1


def json_object(body: bytes) -> Mapping[str, Any]:
    """Empty when the body is not a JSON object."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def mappings(fields: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = fields.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(fields: Mapping[str, Any], name: str) -> list[str]:
    value = fields.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def integer(fields: Mapping[str, Any], name: str) -> int:
    """0 for what is no id."""
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_ID else 0


def moment(fields: Mapping[str, Any], name: str) -> datetime | None:
    """In whole seconds, as hooks tell them, while the API tells milliseconds. Hooks write `2015-05-17 18:08:09 UTC` or
    ISO 8601."""
    value = text(fields, name)
    try:
        read = datetime.fromisoformat(value.removesuffix(" UTC"))
        aware = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return aware.replace(microsecond=0)


def exact_time(fields: Mapping[str, Any], name: str) -> float:
    """Epoch seconds for comparing two answers with one another; NaN, which equals nothing, when there is none."""
    try:
        return datetime.fromisoformat(text(fields, name)).timestamp()
    except (ValueError, OverflowError):
        return math.nan
