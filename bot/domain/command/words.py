"""A command's line into words, much as a shell would."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.domain.errors import UserError
from bot.domain.words import quoted

_CLOSERS = {'"': '"', "'": "'", "“": "”“", "„": "“”", "‘": "’"}  # phones write the curly ones
_DASHES = ("—", "–")  # what phones make of `--`
_SPACES = re.compile(r"\s*")
_HEAD = re.compile(r"[^\s=]*=?")
_TAIL = re.compile(r"\S*")


@dataclass(frozen=True, slots=True)
class Word:
    """`bare` is False for a word that began with a quote: it is then never an option."""

    text: str
    bare: bool = True


def split_words(text: str, *, free_text: bool = False) -> list[Word]:
    """Words between spaces. Quotes hold a word or the value after its first `=` together, and brackets such a value
    (`layers=[64, 32]`, kept as it is); elsewhere both are ordinary characters, as in `it's`.

    Raises UserError where one is never closed. In free text it is an ordinary character then.
    """
    return list(_words(text, free_text))


def _words(text: str, free_text: bool) -> Iterator[Word]:
    position = _skip(_SPACES, text, 0)
    while position < len(text):
        word, position = _word(text, position, free_text)
        yield word
        position = _skip(_SPACES, text, position)


def _word(text: str, start: int, free_text: bool) -> tuple[Word, int]:
    begins_quoted = text[start] in _CLOSERS
    value_start = start if begins_quoted else _skip(_HEAD, text, start)
    head = text[start:value_start]
    value, value_end = "", value_start
    if begins_quoted or head.endswith("="):
        value, value_end = _enclosed(text, value_start, free_text)
    end = _skip(_TAIL, text, value_end)
    word = head + value + text[value_end:end]
    if word.startswith(_DASHES):
        word = f"--{word[1:]}"
    return Word(word, bare=not begins_quoted), end


def _enclosed(text: str, start: int, free_text: bool) -> tuple[str, int]:
    """What stands in quotes (without them) or in brackets (with them), and where it ends; else nothing."""
    opener = text[start : start + 1]
    if opener in _CLOSERS:
        found = _quoted_value(text, start)
    elif opener in ("[", "{"):
        found = _bracketed_value(text, start)
    else:
        return "", start
    if found is not None:
        return found
    if free_text:
        return "", start
    raise UserError(f"{quoted(text[start:])} begins with {quoted(opener)}, which is never closed.", "Close it.")


def _quoted_value(text: str, start: int) -> tuple[str, int] | None:
    closers = _CLOSERS[text[start]]
    characters: list[str] = []
    position = start + 1
    while position < len(text):
        character = text[position]
        if character in closers:
            return "".join(characters), position + 1
        if character == "\\" and text[position + 1 : position + 2] in (*closers, "\\"):
            position += 1
        characters.append(text[position])
        position += 1
    return None


def _bracketed_value(text: str, start: int) -> tuple[str, int] | None:
    depth, quote = 0, ""
    for position in range(start, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
            if depth == 0:
                return text[start : position + 1], position + 1
    return None


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
