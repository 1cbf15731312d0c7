"""Where in a policy file values of secrets may have been written by mistake, whether it is YAML or not."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE = re.compile(r"[^\r\n]*")
_SECRETS = re.compile(r"(?P<indent>[ \t-]*).*?[\"']?\bsecrets[\"']?[ \t]*:(?=\s|$)")
# what stays legible there: names before a colon, brackets and commas
_LEGIBLE = re.compile(r"[\"']?[A-Za-z_][A-Za-z0-9_.-]*[\"']?[ \t]*:(?=\s|$)|[\s{}\[\],]+|#.*$")


def secrets_in(text: str) -> Iterator[tuple[int, int]]:
    """From each `secrets:` on, as far as lines are indented deeper, all but the names."""
    depth: int | None = None
    for line in _LINE.finditer(text):
        words = line.group()
        if not words.strip():
            continue
        indent = _depth(words[: len(words) - len(words.lstrip(" \t-"))])
        if depth is not None and indent <= depth:
            depth = None
        begin = 0
        if depth is None:
            found = _SECRETS.match(words)
            if found is None:
                continue
            depth, begin = _depth(found.group("indent")), found.end()
        yield from _illegible(words, begin, line.start())


def _depth(indent: str) -> int:
    return len(indent.expandtabs())


def _illegible(words: str, begin: int, offset: int) -> Iterator[tuple[int, int]]:
    done = begin
    for legible in _LEGIBLE.finditer(words, begin):
        if legible.start() > done:
            yield offset + done, offset + legible.start()
        done = legible.end()
    if done < len(words):
        yield offset + done, offset + len(words)
