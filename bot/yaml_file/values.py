"""Values that a schema can not judge: each place in the file and the function that reads what stands there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bot.yaml_file.places import Path, is_faulty, offset_in_source, where
from bot.yaml_file.problems import Findings
from bot.yaml_file.quantities import QUANTITIES
from bot.yaml_file.tree import Node
from bot.yaml_file.unfit import Unfit

ANY = "*"  # stands for every name and every index

Readers = Sequence[tuple[Path, Callable[[Any], object]]]


def report_values(root: Node, findings: Findings, readers: Readers) -> frozenset[Path]:
    """Add a problem for each value that its reader refuses; gives their paths."""
    refused: set[Path] = set()
    for pattern, reader in readers:
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
    return is_number and reader in QUANTITIES


def _matching(node: Node, pattern: Path, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """The nodes at a path in which ANY stands for every name."""
    if not pattern:
        yield path, node
        return
    names = list(node.children) if pattern[0] == ANY else [pattern[0]]
    for name in names:
        if name in node.children:
            yield from _matching(node.children[name], pattern[1:], (*path, name))
