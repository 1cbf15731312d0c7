"""Fit a comment into a forge's limit: the least important parts shrink and go first, and are named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Block:
    """A part that is whole in itself: it closes its own fences and tags.

    `variants` go from the fullest to the shortest; after the last one the block is left out, unless it is `kept`.
    `name` tells a reader what was cut; it is Markdown.
    """

    name: str
    importance: int
    variants: tuple[str, ...]
    kept: bool = False

    def text(self, variant: int) -> str:
        return self.variants[variant] if variant < len(self.variants) else ""


def fit(blocks: Sequence[Block], *, limit: int, note: Callable[[Sequence[str]], str]) -> str:
    """The blocks in their order, with a blank line between, in at most `limit` characters.

    `note` tells what was cut, given the names; it stands at the end, and only if something was. Of equally important
    blocks the later ones go first. What is `kept` has to fit.
    """
    chosen = [0] * len(blocks)
    cut: dict[str, None] = {}
    length = sum(_room(block.text(0)) for block in blocks)
    for index in sorted(range(len(blocks)), key=lambda i: (blocks[i].importance, -i)):
        block = blocks[index]
        shortest = len(block.variants) - (1 if block.kept else 0)
        while chosen[index] < shortest and length + (_room(note(list(cut))) if cut else 0) > limit:
            before = _room(block.text(chosen[index]))
            chosen[index] += 1
            length += _room(block.text(chosen[index])) - before
            cut[block.name] = None
    texts = [text for block, variant in zip(blocks, chosen, strict=True) if (text := block.text(variant))]
    return "\n\n".join([*texts, note(list(cut))] if cut else texts) + "\n"


def _room(text: str) -> int:
    return len(text) + 2 if text else 0
