"""Where a path of names and indexes stands in the tree, and how people read it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.domain.words import plain
from bot.yaml_file.tree import Kind, Node

Path = tuple[str | int, ...]

_BARE_NAME = re.compile(r"[A-Za-z0-9_-]+")


def node_at(root: Node, path: Sequence[str | int]) -> Node | None:
    node: Node | None = root
    for name in path:
        node = node.children.get(name) if node is not None else None
    return node


def is_faulty(root: Node, path: Sequence[str | int]) -> bool:
    """Whether a problem was reported for the value at the path, or one around it."""
    node: Node | None = root
    for name in path:
        if node is None or (node.faulty and node.kind is Kind.SCALAR):
            return True
        node = node.children.get(name)
    return node is None or node.faulty


def where(path: Sequence[str | int]) -> str:
    """`models.churn.evaluate.gates[0]`"""
    words = ""
    for name in path:
        if isinstance(name, int):
            words += f"[{name}]"
        else:
            shown = name if _BARE_NAME.fullmatch(name) else f'"{plain(name)}"'
            words += f".{shown}" if words else shown
    return words


def offset_in_source(node: Node, text: str, offset: int) -> int:
    """The place of a character of a scalar's text; the scalar's beginning where escapes or folds move it."""
    start = node.start + (0 if node.is_plain else 1)
    return start + offset if text.startswith(node.raw, start) else node.start
