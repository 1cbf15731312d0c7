"""Params of a comment, from text to values that their JSON Schema fragments allow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, ValidationError

from bot.domain.errors import UserError
from bot.domain.nearest import nearest
from bot.domain.param_text import LARGEST_INTEGER, is_too_large, readings
from bot.domain.project import JsonValue
from bot.domain.words import listed, quoted

Fragment = Mapping[str, JsonValue]

# As in `schemas/mlops.schema.json`. `pattern` is not there, for it comes from the repository, and Python's regular
# expressions can take forever; neither is `$ref`, which can point anywhere, also at itself.
KEYWORDS = frozenset(
    {
        *("type", "enum", "const", "default", "title", "description", "examples"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "items", "minItems", "maxItems", "uniqueItems"),
    }
)
DEEPEST_ITEMS = 8  # fragments within fragments
LONGEST_VALUE = 2000  # characters


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a value is not taken, and what would be."""

    problem: str
    fix: str


def coerce_params(fragments: Mapping[str, Fragment], given: Mapping[str, str]) -> dict[str, JsonValue]:
    """All params of a model, in the file's order: what was given, else the default; without either, none.

    Raises one UserError for everything that is wrong with what was given.
    """
    refused: list[_Refused] = []
    values: dict[str, JsonValue] = {}
    for name, fragment in fragments.items():
        if name not in given:
            if "default" in fragment:
                values[name] = fragment["default"]
            continue
        value = _coerce(name, fragment, given[name])
        if isinstance(value, _Refused):
            refused.append(value)
        else:
            values[name] = value
    refused += [_unknown(name, fragments) for name in given if name not in fragments]
    if len(refused) == 1:
        raise UserError(refused[0].problem, refused[0].fix)
    if refused:
        raise UserError(" ".join(f"{one.problem} {one.fix}" for one in refused))
    return values


def describe(fragment: Fragment) -> str:
    """What a param takes, as it follows "takes": `a whole number from 10 to 2000`."""
    if "const" in fragment:
        return quoted(_json(fragment["const"]))
    if isinstance(fragment.get("enum"), list):
        return f"one of {listed([_json(value) for value in fragment['enum']])}"
    kinds = _types(fragment)
    words = " or ".join(_KIND_WORDS.get(kind, kind) for kind in kinds) if kinds else "any value"
    items = fragment.get("items")
    each = f", each {describe(items)}" if isinstance(items, Mapping) and items and kinds == ["array"] else ""
    limits = [f" {word} {_json(fragment[key])}{unit}" for key, word, unit in _LIMIT_WORDS if key in fragment]
    return "".join([words if not each else "a list", *limits, each])


_KIND_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "string": "text",
    "array": "a list such as `[1, 2]`",
    "null": "`null`",
}
_LIMIT_WORDS = (
    ("minimum", "from", ""),
    ("exclusiveMinimum", "above", ""),
    ("maximum", "to", ""),
    ("exclusiveMaximum", "below", ""),
    ("multipleOf", "in steps of", ""),
    ("minLength", "of at least", " characters"),
    ("maxLength", "of at most", " characters"),
    ("minItems", "of at least", " items"),
    ("maxItems", "of at most", " items"),
)


def _coerce(name: str, fragment: Fragment, text: str) -> JsonValue | _Refused:
    shown = quoted(f"{name}={text}")
    if len(text) > LONGEST_VALUE:
        return _Refused(f"{shown} is longer than {LONGEST_VALUE} characters.", "Write a shorter value.")
    fault = _fault(fragment, DEEPEST_ITEMS)
    if fault:
        return _Refused(f"{quoted(name)} can not be set: {fault}.", "Mend it in `mlops.yaml`.")
    validator = Draft202012Validator(dict(fragment))
    first_error: ValidationError | None = None
    for value in readings(text, fragment):
        error = next(iter(validator.iter_errors(value)), None)
        if error is None:
            return value
        first_error = first_error or error
    words = " is too large" if first_error is None and is_too_large(text) else _words(first_error, fragment)
    return _Refused(f"{shown}{words}.", _fix(name, fragment, text))


def _fix(name: str, fragment: Fragment, text: str) -> str:
    choices = fragment.get("enum")
    meant = nearest(text, [value for value in choices if isinstance(value, str)]) if isinstance(choices, list) else None
    guess = "" if meant is None else f"Did you mean {quoted(f'{name}={meant}')}? "
    default = f" (default {quoted(_json(fragment['default']))})" if "default" in fragment else ""
    return f"{guess}{quoted(name)} takes {describe(fragment)}{default}."


def _words(error: ValidationError | None, fragment: Fragment) -> str:
    """What is wrong, as it follows the value."""
    if error is None:
        return f" is not {describe({'type': _types(fragment)})}"
    place = "".join(f", item {index + 1 if isinstance(index, int) else index}," for index in error.absolute_path)
    if error.validator == "type":
        return f"{place} is not {describe({'type': error.validator_value})}"
    words = _ERROR_WORDS.get(str(error.validator), "does not fit")
    return f"{place} {words.format(limit=_json(error.validator_value))}"


_ERROR_WORDS = {
    "enum": "is not one of the choices",
    "const": "is not {limit}",
    "minimum": "is less than {limit}",
    "maximum": "is more than {limit}",
    "exclusiveMinimum": "is not above {limit}",
    "exclusiveMaximum": "is not below {limit}",
    "multipleOf": "is not a multiple of {limit}",
    "minLength": "is shorter than {limit} characters",
    "maxLength": "is longer than {limit} characters",
    "minItems": "has fewer than {limit} items",
    "maxItems": "has more than {limit} items",
    "uniqueItems": "holds an item twice",
}


def _unknown(name: str, fragments: Mapping[str, Fragment]) -> _Refused:
    meant = nearest(name, fragments)
    if meant is not None:
        fix = f"Did you mean {quoted(meant)}? It takes {describe(fragments[meant])}."
    elif fragments:
        fix = f"The params are {listed(list(fragments))}."
    else:
        fix = "`mlops.yaml` declares no `params` for it."
    return _Refused(f"There is no param {quoted(name)}.", fix)


def _fault(fragment: Any, depth: int) -> str:
    """Why a fragment is not used; "" when it is."""
    if not isinstance(fragment, Mapping):
        return "its schema is not a mapping"
    foreign = sorted(str(keyword) for keyword in fragment if keyword not in KEYWORDS)
    if foreign:
        return f"its schema has {listed(foreign)}, which is not supported"
    if depth == 0:
        return f"its schema has `items` more than {DEEPEST_ITEMS} deep"
    fault = _fault(fragment["items"], depth - 1) if "items" in fragment else ""
    if fault or depth < DEEPEST_ITEMS:
        return fault
    try:
        Draft202012Validator.check_schema(dict(fragment))
    except SchemaError as error:
        return f"its schema is not valid at `{'.'.join(str(step) for step in error.absolute_path)}`"
    return ""


def _types(fragment: Fragment) -> list[str]:
    kinds = fragment.get("type", [])
    return [kinds] if isinstance(kinds, str) else [str(kind) for kind in kinds]


def _json(value: JsonValue) -> str:
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return "a very large number"  # Python refuses to write one of thousands of digits
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
