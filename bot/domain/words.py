"""Text from outside, made fit to stand inside a sentence of ours."""

from __future__ import annotations

import unicodedata

SHOWN_CHARACTERS = 60


def quoted(text: str, *, limit: int = SHOWN_CHARACTERS) -> str:
    """The text between backticks, as one short line that can not end its own code span."""
    return f"`{plain(text, limit=limit) or ' '}`"


def plain(text: str, *, limit: int = SHOWN_CHARACTERS) -> str:
    """The text as one short line, without backticks, control characters, and marks that reorder what is read."""
    shown = text if len(text) <= limit else text[: limit - 1] + "…"
    shown = shown.replace("<!--", "<! --")  # a hidden marker of ours must not be repeated
    return "".join(_shown_character(character) for character in shown)


def listed(words: list[str], *, limit: int = 12) -> str:
    """`a`, `b` and `c`; the rest of a long list is counted."""
    shown = [quoted(word) for word in words[:limit]]
    if len(words) > limit:
        shown.append(f"{len(words) - limit} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _shown_character(character: str) -> str:
    if character == "`":
        return "'"
    # Cc controls, Cf invisible marks (bidi overrides), Cs lone surrogates, Zl and Zp line breaks
    return " " if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
