"""What DVC needs to find a version: an entry in the `dvc.yaml` at the root, and a `.dvc` folder.

DVC looks up an artifact whose tags have no folder in their name in the root's `dvc.yaml` alone (dvc/repo/artifacts.py,
`get_path`). The entry's path is `mlops.lock`, which is in git: so `dvc artifacts get` brings the file that says where
the model is and which digest it has. What a repository says of the artifact itself stays as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import takewhile

import yaml

from bot.lock_file import LOCK_FILE

DVC_FILE = "dvc.yaml"
DVC_CONFIG = ".dvc/config"
DVC_LIMIT_BYTES = 128 * 1024  # PyYAML takes a second for so much
_ARTIFACTS = "artifacts"


@dataclass(frozen=True, slots=True)
class _Change:
    """`said` is what the text says more than before, in place of `replaced` things."""

    text: str
    said: str
    replaced: int = 0


def with_artifact(content: bytes | None, model: str) -> bytes | None:
    """`dvc.yaml` with an entry for the model, and each of its own bytes kept. None where it is to be left as it is:
    it has one already, or is not understood."""
    if content is None:
        return f"{_ARTIFACTS}:\n  {_entry(model)}\n".encode()
    if len(content) > DVC_LIMIT_BYTES:
        return None
    try:
        text = content.decode("utf-8")
        change = _change(text, yaml.compose(text, yaml.SafeLoader), model)
        return change.text.encode() if change is not None and _is_all(text, change) else None
    except (ValueError, yaml.YAMLError, RecursionError):
        return None


def _change(text: str, document: yaml.Node | None, model: str) -> _Change | None:
    entry = _entry(model)
    whole = f"{_ARTIFACTS}: {{{entry}}}"
    if document is None:
        return _Change(f"{text.rstrip()}\n{whole}\n".lstrip("\n"), f"{{{whole}}}")
    if not isinstance(document, yaml.MappingNode):
        return None
    sections = [value for key, value in document.value if key.value == _ARTIFACTS]
    if not sections:
        return _Change(_insert(text, document, whole), whole)
    section = sections[0]
    if isinstance(section, yaml.MappingNode):
        is_there = any(key.value == model for key, _ in section.value)
        return None if is_there else _Change(_insert(text, section, entry), entry)
    if section.tag != "tag:yaml.org,2002:null":
        return None
    before, after = text[: section.start_mark.index], text[section.end_mark.index :]
    return _Change(f"{before.rstrip(' ')} {{{entry}}}{after}", f"{{{entry}}}", replaced=1)


def _insert(text: str, mapping: yaml.MappingNode, entry: str) -> str:
    """As the first entry of a mapping: within its braces, or on a line of its own."""
    start = mapping.start_mark
    if mapping.flow_style:
        comma = ", " if mapping.value else ""
        return f"{text[: start.index + 1]}{entry}{comma}{text[start.index + 1 :]}"
    return f"{text[: start.index]}{entry}\n{' ' * start.column}{text[start.index :]}"


def _entry(model: str) -> str:
    """In JSON's way, which holds within braces and outside."""
    return f"{json.dumps(model)}: {{path: {LOCK_FILE}, type: model}}"


def _is_all(before: str, change: _Change) -> bool:
    """Whether the text still says all that it said, in the same order, and nothing but the entry besides."""
    was, now, more = _said(before), _said(change.text), _said(change.said)
    more = more[2:-2] if change.replaced or not was[2:-2] else more[3:-3]  # without the document around it
    if not was[2:-2]:
        return now[2:-2] == more
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(was, now, strict=False)))
    return [*was[:start], *more, *was[start + change.replaced :]] == now


def _said(text: str) -> list[tuple[str, str | None, str]]:
    """What a YAML text says, without its form."""
    return [
        (type(event).__name__, getattr(event, "anchor", None), getattr(event, "value", ""))
        for event in yaml.parse(text, yaml.SafeLoader)
    ]
