"""The filter of a list, as Kubeflow reads it: all predicates must hold; a key that it does not know is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from tests.fakes.kubeflow.description import problems
from tests.fakes.kubeflow.web import Refusal

KEYS = {
    "runs": ("run_id", "display_name", "created_at", "finished_at", "experiment_id", "state", "storage_state"),
    "experiments": ("experiment_id", "display_name", "created_at", "storage_state"),
    "pipelines": ("pipeline_id", "display_name", "name", "created_at"),
    "pipeline_versions": ("pipeline_version_id", "display_name", "name", "created_at"),
}
OPERATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUALS": lambda value, wanted: value == wanted,
    "NOT_EQUALS": lambda value, wanted: value != wanted,
    "IN": lambda value, wanted: value in wanted,
    "IS_SUBSTRING": lambda value, wanted: wanted in value,
}
# kfp's client sends numbers: protocol buffers take them for names (backend/api/v2beta1/filter.proto)
NUMBERS = {1: "EQUALS", 2: "NOT_EQUALS", 8: "IN", 9: "IS_SUBSTRING"}


def filtered(kind: str, documents: Iterable[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    chosen = list(documents)
    for predicate in _predicates(text):
        key, operation = predicate["key"], predicate["operation"]
        if key not in KEYS[kind]:
            raise Refusal(400, f"Invalid filter: no such field {key} in {kind}")
        if operation not in OPERATIONS:
            raise Refusal(400, f"Invalid filter: unsupported operation {operation}")
        wanted = (
            predicate.get("string_values", {}).get("values") if operation == "IN" else predicate.get("string_value")
        )
        if wanted is None:
            raise Refusal(400, f"Invalid filter: no value for {key}")
        if operation == "IN":
            wanted = frozenset(wanted)
        chosen = [one for one in chosen if OPERATIONS[operation](one.get(key, ""), wanted)]
    return chosen


def _predicates(text: str) -> list[dict[str, Any]]:
    if not text:
        return []
    document = _snake(json.loads(text))
    for predicate in document.get("predicates", ()):
        predicate["operation"] = NUMBERS.get(predicate["operation"], predicate["operation"])
    wrong = problems("v2beta1Filter", document)
    if wrong:
        raise Refusal(400, f"Invalid filter: {wrong}")
    return list(document.get("predicates", ()))


def _snake(value: Any) -> Any:
    """Protocol buffers take both spellings of a field."""
    if isinstance(value, list):
        return [_snake(one) for one in value]
    if isinstance(value, dict):
        return {
            re.sub(r"(?<=[a-z])[A-Z]", lambda c: f"_{c[0].lower()}", key): _snake(one) for key, one in value.items()
        }
    return value
