"""What an error of jsonschema means, in words: (where, what was found and expected, the fix)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bot.domain.nearest import nearest
from bot.domain.words import plain, quoted
from bot.yaml_file.tree import Kind, Node
from schemas import schema

Explained = Iterator[tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """An error of jsonschema: the keyword and its value, the part of the schema, and the value that breaks it."""

    schema_name: str
    keyword: str
    wanted: Any
    part: Mapping[str, Any]
    instance: Any
    message: str
    path: tuple[str | int, ...]
    is_about_a_name: bool


MOST_WORDS = 20  # of a list of what is allowed

_TYPES = {
    "object": "`name: value` pairs",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
}
_MEANT_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def explain(rule: BrokenRule, node: Node, *, named_at: int) -> Explained:
    """`node` is the value that the error is about, `named_at` where its name stands."""
    if rule.keyword == "additionalProperties":
        return _unknown_keys(rule, node)
    if rule.keyword in ("required", "dependentRequired"):
        return _missing_keys(rule, named_at)
    message, fix = _EXPLAIN.get(rule.keyword, _other)(rule, node)
    return iter([(node.start, message, fix)])


def explain_name(rule: BrokenRule) -> tuple[str, str]:
    """For a name that may not be one."""
    name = str(rule.instance)
    if rule.keyword == "maxLength":
        return f"The name {quoted(name)} is longer than {rule.wanted} characters.", "Shorten it."
    fix = str(rule.part["patternErrorMessage"])
    allowed = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63]
    if allowed and rule.part["x-is"] == "a name":
        fix = f"Write `{allowed}`: lower-case letters, digits and `-`."
    return f"{quoted(name)} is not {rule.part['x-is']}.", fix


def described(node: Node) -> str:
    if node.kind is not Kind.SCALAR:
        return _TYPES["object"] if node.kind is Kind.MAPPING else "a list"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return quoted(node.raw)
    return f"the text {quoted(node.raw)}" if isinstance(node.value, str) else f"the number {quoted(node.raw)}"


def one_of(words: list[str]) -> str:
    """`a`, `b` or `c`"""
    shown = [quoted(word) for word in words[:MOST_WORDS]]
    if len(words) > MOST_WORDS:
        shown.append(f"{len(words) - MOST_WORDS} more")
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _unknown_keys(rule: BrokenRule, node: Node) -> Explained:
    known = rule.part.get("properties", {})
    for name in node.children:
        if name not in known:
            message = f"The key {quoted(str(name))} is not known here; expected {one_of(list(known))}."
            yield node.keys[name], message, _where_it_belongs(str(name), known, node, rule.schema_name)


def _where_it_belongs(name: str, known: Mapping[str, Any], node: Node, schema_name: str) -> str:
    meant = nearest(name, [key for key in known if key not in node.children])
    if meant:
        return f"Write `{meant}`."
    homes = _homes(schema_name).get(name, ())
    return f"Move it: it belongs {' or '.join(homes)}." if homes else "Remove it."


@cache
def _homes(schema_name: str) -> Mapping[str, list[str]]:
    """Each key of a file to the places where it may stand. A definition says by `x-place` where it is used."""
    homes: dict[str, list[str]] = {}

    def walk(part: Mapping[str, Any], place: str) -> None:
        for name, inner in part.get("properties", {}).items():
            homes.setdefault(name, []).append(f"below `{place}`" if place else "at the top level")
            walk(inner, f"{place}.{name}" if place else name)

    document = schema(schema_name)
    walk(document, "")
    for part in document["$defs"].values():
        if "x-place" in part:
            walk(part, part["x-place"])
    return homes


def _missing_keys(rule: BrokenRule, named_at: int) -> Explained:
    needed, properties = rule.wanted, rule.part.get("properties", {})
    if isinstance(needed, Mapping):  # what other keys of the file need beside them
        needed = dict.fromkeys(key for name, keys in needed.items() if name in rule.instance for key in keys)
    # jsonschema yields one error for each missing key, and says which only in its words
    for name in needed:
        if name not in rule.instance and rule.message.startswith(repr(name)):
            written = properties.get(name, {}).get("x-write", f"`{name}:`")
            yield named_at, f"The key `{name}` is missing here.", f"Add {written}."


def _wrong_type(rule: BrokenRule, node: Node) -> tuple[str, str]:
    wanted = [rule.wanted] if isinstance(rule.wanted, str) else list(rule.wanted)
    expected = rule.part.get("x-is") or " or ".join(_TYPES[name] for name in wanted)
    return f"Found {described(node)}, expected {expected}.", _type_fix(node, wanted[0], rule.part)


def _type_fix(node: Node, wanted: str, part: Mapping[str, Any]) -> str:
    if node.kind is not Kind.SCALAR:
        return _type_hint(wanted)
    if node.value is None and wanted != "object":
        examples = part.get("examples")
        return f"Write one, for example `{plain(str(examples[0]))}`." if examples else "Write one, or remove the key."
    if wanted == "string":
        fits = re.search(part.get("pattern", ""), node.raw)
        return f'Put it in quotes: `"{node.raw}"`.' if fits else str(part["patternErrorMessage"])
    if wanted == "object" and len(part.get("required", ())) == 1:
        name = part["required"][0]
        if node.value is None:
            return f"Write {part['properties'][name].get('x-write', f'`{name}:`')} below it."
        return f"Write `{{{name}: {plain(node.raw, limit=200)}}}`."
    if wanted == "array":
        return f"Write a list: `[{quoted(node.raw)[1:-1]}]`."
    meant = _MEANT_BOOLEANS.get(node.raw.casefold())
    if wanted == "boolean" and meant:
        return f"Write `{meant}`: in YAML 1.2 only `true` and `false` are not text."
    if wanted in ("integer", "number") and re.fullmatch(r"-?[0-9.]+", node.raw) and not node.is_plain:
        return f"Remove the quotes: `{node.raw}`."
    return _type_hint(wanted)


def _type_hint(wanted: str) -> str:
    return {
        "object": "Write `name: value` pairs below it, indented; `{}` for none.",
        "array": "Write a list: `[one, two]`.",
        "string": "Write one line of text.",
        "boolean": "Write `true` or `false`.",
    }.get(wanted, "Write a number without quotes and units.")


def _not_listed(rule: BrokenRule, node: Node) -> tuple[str, str]:
    known = [str(value) for value in rule.wanted]
    meant = nearest(node.raw, known) if node.kind is Kind.SCALAR else None
    fix = f"Write `{meant or known[0]}`." if meant or len(known) == 1 else "Write one of them."
    return f"Found {described(node)}, expected {one_of(known)}.", fix


def _not_the_constant(rule: BrokenRule, node: Node) -> tuple[str, str]:
    quotes = " without quotes" if node.raw == str(rule.wanted) else ""
    return f"Found {described(node)}, expected `{rule.wanted}`.", f"Write `{rule.wanted}`{quotes}."


def _not_of_the_form(rule: BrokenRule, node: Node) -> tuple[str, str]:
    if not node.raw.strip():
        return f"Found empty text, expected {rule.part['x-is']}.", rule.part.get("patternErrorMessage", "Write one.")
    return f"{quoted(node.raw)} is not {rule.part['x-is']}.", rule.part.get("patternErrorMessage", "")


def _too_long(rule: BrokenRule, node: Node) -> tuple[str, str]:
    return f"{quoted(node.raw)} is longer than {rule.wanted} characters.", "Shorten it."


def _out_of_range(rule: BrokenRule, node: Node) -> tuple[str, str]:
    bound = {
        "minimum": "at least {}",
        "maximum": "at most {}",
        "exclusiveMinimum": "more than {}",
        "exclusiveMaximum": "less than {}",
    }[rule.keyword].format(rule.wanted)
    return f"Found {described(node)}, expected {bound}.", f"Write a number that is {bound}."


def _empty(_: BrokenRule, node: Node) -> tuple[str, str]:
    what = "list" if node.kind is Kind.SEQUENCE else "mapping"
    return f"This {what} is empty; at least one entry is expected.", "Add an entry, or remove the key."


def _too_many(rule: BrokenRule, node: Node) -> tuple[str, str]:
    return f"Found {len(node.children)} entries, expected at most {rule.wanted}.", "Remove some."


def _twice(_: BrokenRule, node: Node) -> tuple[str, str]:
    return f"{quoted(node.raw) if node.raw else 'The same entry'} is in this list twice.", "Remove one of them."


def _other(rule: BrokenRule, _: Node) -> tuple[str, str]:
    return f"Not allowed by the schema: {rule.message[:200]}.", ""


_EXPLAIN: dict[str, Callable[[BrokenRule, Node], tuple[str, str]]] = {
    "type": _wrong_type,
    "enum": _not_listed,
    "const": _not_the_constant,
    "pattern": _not_of_the_form,
    "minLength": _not_of_the_form,
    "maxLength": _too_long,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "exclusiveMinimum": _out_of_range,
    "exclusiveMaximum": _out_of_range,
    "minItems": _empty,
    "minProperties": _empty,
    "maxItems": _too_many,
    "maxProperties": _too_many,
    "uniqueItems": _twice,
}
