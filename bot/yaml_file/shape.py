"""Holds a file against its schema; each error of jsonschema becomes a problem with place and fix."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from bot.domain.project import JsonValue
from bot.yaml_file.places import Path, is_faulty, node_at, where
from bot.yaml_file.problems import Findings
from bot.yaml_file.shape_words import BrokenRule, explain, explain_name
from bot.yaml_file.tree import Node
from schemas import schema

_SAID_BETTER_ELSEWHERE = ("type", "pattern", "minLength")


def _unique_items(_: Any, wanted: bool, instance: Any, __: Any) -> Iterator[ValidationError]:
    """`uniqueItems` in linear time; jsonschema's own compares each item with each."""
    seen = set()
    for index, item in enumerate(instance if wanted and isinstance(instance, list) else ()):
        key = json.dumps(item, sort_keys=True)
        if key in seen:
            yield ValidationError("given twice", path=[index])
        seen.add(key)


_LinearValidator: Any = extend(  # type: ignore[no-untyped-call]  # types-jsonschema leaves it untyped
    Draft202012Validator, {"uniqueItems": _unique_items}
)


def report_shape(root: Node, findings: Findings, schema_name: str, *, handled: frozenset[Path]) -> None:
    """Add a problem for everything that the schema does not allow.

    At the paths of `handled` a problem in better words was reported: what is said of their text is not said again.
    """
    for rule in broken_rules(schema(schema_name), root.value, schema_name=schema_name):
        if is_faulty(root, rule.path) or (rule.path in handled and rule.keyword in _SAID_BETTER_ELSEWHERE):
            continue
        node = node_at(root, rule.path)
        assert node is not None
        if rule.is_about_a_name:
            message, fix = explain_name(rule)
            findings.add(node.keys[rule.instance], message, fix, where=where(rule.path))
            continue
        for index, message, fix in explain(rule, node, named_at=_named_at(root, rule.path)):
            findings.add(index, message, fix, where=where(rule.path))


def broken_rules(rules: Mapping[str, Any], value: JsonValue, *, schema_name: str = "") -> Iterator[BrokenRule]:
    """What a schema does not allow in a value. It must be a valid one."""
    for error in _LinearValidator(rules).iter_errors(value):
        yield BrokenRule(
            schema_name=schema_name,
            keyword=str(error.validator),
            wanted=error.validator_value,
            part=error.schema if isinstance(error.schema, Mapping) else {},
            instance=error.instance,
            message=error.message,
            path=tuple(error.absolute_path),
            is_about_a_name="propertyNames" in error.absolute_schema_path,
        )


def _named_at(root: Node, path: Path) -> int:
    """Where the name of the value at the path stands; the value's own beginning where it has none."""
    parent, node = node_at(root, path[:-1]), node_at(root, path)
    assert parent is not None
    assert node is not None
    return parent.keys.get(path[-1], node.start) if path else node.start
