"""Kubeflow's own description of its API (`v2beta1.json`, without its words), which requests and answers are held to."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

DESCRIPTION = json.loads(Path(__file__).with_name("v2beta1.json").read_text())


@dataclass(frozen=True)
class Operation:
    route: str
    arguments: dict[str, str]
    query: frozenset[str]
    body: str
    answer: str


def operation(method: str, path: str) -> Operation | None:
    """None for what the API does not know. Definitions are named without their prefix."""
    for route in sorted(DESCRIPTION["paths"], key=lambda route: route.count("{")):
        found = re.fullmatch(_pattern(route), path)
        described = DESCRIPTION["paths"][route].get(method.lower())
        if found and described:
            parameters = described["parameters"]
            return Operation(
                route=route.removeprefix("/apis/v2beta1"),
                arguments=found.groupdict(),
                query=frozenset(one["name"] for one in parameters if one["in"] == "query"),
                body=next((_name(one["schema"]) for one in parameters if one["in"] == "body"), ""),
                answer=_name(described["responses"]["200"]["schema"]),
            )
    return None


def problems(definition: str, value: Any) -> list[str]:
    """What of a value the description does not allow; a field that it does not know is one of them."""
    if not definition:
        return []
    return [
        f"{definition} {list(error.path)}: {error.message[:200]}" for error in _validator(definition).iter_errors(value)
    ]


@cache
def _validator(definition: str) -> jsonschema.Draft4Validator:
    definitions = {name: _strict(schema) for name, schema in DESCRIPTION["definitions"].items()}
    return jsonschema.Draft4Validator({"$ref": f"#/definitions/{definition}", "definitions": definitions})


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    strict = {key: _strict(value) for key, value in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema:
        strict["additionalProperties"] = False
    return strict


def _pattern(route: str) -> str:
    return re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/:]+)", re.escape(route))


def _name(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
