"""The JSON Schemas of what people write and what runs leave, shipped with the package."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


def schema_bytes(name: str) -> bytes:
    """A schema's file, for example `mlops.schema.json`."""
    return files(__name__).joinpath(name).read_bytes()


@cache
def schema(name: str) -> dict[str, Any]:
    """A schema, parsed once; not to be changed by its readers."""
    document = json.loads(schema_bytes(name))
    assert isinstance(document, dict)
    return document
