"""Reading JSON from outside: whatever a field holds, reading it does not fail."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_LARGEST_ID = 2**63 - 1


def json_object(body: bytes) -> Mapping[str, Any] | None:
    """None when the body is not a JSON object."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def mapping(fields: object, *names: str) -> Mapping[str, Any]:
    """The object at the end of a path of names; empty when there is none."""
    for name in names:
        fields = fields.get(name) if isinstance(fields, dict) else None
    return fields if isinstance(fields, dict) else {}


def mappings(fields: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = fields.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(fields: Mapping[str, Any], name: str) -> str:
    """Without NUL and lone surrogates, which JSON can spell and no database can keep."""
    value = fields.get(name)
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def integer(fields: Mapping[str, Any], name: str) -> int:
    """0 for what is no id."""
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_ID else 0


def moment(fields: Mapping[str, Any], name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text(fields, name)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
