"""Values that the schema can not judge: each place in the file and the function that reads what stands there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bot.domain.gate import Gate, GateSyntaxError, parse_gate
from bot.domain.words import quoted
from bot.project_file.cron import cron_schedule
from bot.project_file.paths import git_address, glob, path_inside
from bot.project_file.places import Path, is_faulty, offset_in_source, where
from bot.project_file.problems import Findings
from bot.project_file.quantities import cores, duration_s, memory_bytes
from bot.project_file.unfit import Unfit
from bot.project_file.yaml_tree import Node

ANY = "*"


def gate(text: str) -> Gate:
    """Raises Unfit."""
    try:
        return parse_gate(text)
    except GateSyntaxError as error:
        # the gate itself stands in the excerpt
        words = error.problem.removeprefix(f"gate {quoted(text)}, character {error.column + 1}: ")
        raise Unfit(words[0].upper() + words[1:], error.fix, offset=error.column) from error


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise Unfit("The text has a NUL character, which no program can be given.", "Remove it.")
    return text


READERS: Sequence[tuple[Path, Callable[[Any], object]]] = (
    (("models", ANY, "path"), path_inside),
    (("models", ANY, "watch", ANY), glob),
    (("models", ANY, "data", "repo"), git_address),
    (("models", ANY, "data", "path"), path_inside),
    (("models", ANY, "env", ANY), _without_nul),
    (("models", ANY, "train", "run"), _without_nul),
    (("models", ANY, "train", "timeout"), duration_s),
    (("models", ANY, "train", "resources", "cpu"), cores),
    (("models", ANY, "train", "resources", "memory"), memory_bytes),
    (("models", ANY, "evaluate", "run"), _without_nul),
    (("models", ANY, "evaluate", "timeout"), duration_s),
    (("models", ANY, "evaluate", "resources", "cpu"), cores),
    (("models", ANY, "evaluate", "resources", "memory"), memory_bytes),
    (("models", ANY, "evaluate", "gates", ANY), gate),
    (("models", ANY, "monitor", "schedule"), cron_schedule),
)


def report_values(root: Node, findings: Findings) -> frozenset[Path]:
    """Add a problem for each value that its reader refuses; gives their paths."""
    refused: set[Path] = set()
    for pattern, reader in READERS:
        for path, node in _matching(root, pattern):
            if is_faulty(root, path) or not _readable(node, reader):
                continue
            try:
                reader(node.value if isinstance(node.value, str) else node.raw)
            except Unfit as error:
                index = offset_in_source(node, findings.source.text, error.offset)
                findings.add(index, error.message, error.fix, where=where(path))
                refused.add(path)
    return frozenset(refused)


def _readable(node: Node, reader: object) -> bool:
    """Other types, and empty text, are the schema's to report. A number may be a quantity that lacks its unit."""
    if isinstance(node.value, str):
        return bool(node.value.strip())
    is_number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
    return is_number and reader in (cores, duration_s, memory_bytes)


def _matching(node: Node, pattern: Path, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """The nodes at a path in which ANY stands for every name."""
    if not pattern:
        yield path, node
        return
    names = list(node.children) if pattern[0] == ANY else [pattern[0]]
    for name in names:
        if name in node.children:
            yield from _matching(node.children[name], pattern[1:], (*path, name))
