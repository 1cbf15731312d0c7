"""PyYAML's syntax errors, in words that say what to do about them."""

from __future__ import annotations

import re

import yaml

from bot.domain.words import plain, quoted
from bot.yaml_file.problems import Findings


class FileEndsHere(Exception):
    """The rest of the file is not read; a problem that says why was added."""


QUOTE_IT = "Put the text in quotes."
CHECK_INDENTATION = "Check the indentation: what belongs together begins in the same column."

# PyYAML 6's own words (scanner.py and parser.py), what they mean, and the fix; the first that is found counts
_MEANINGS = (
    (
        "mapping values are not allowed here",
        "A `:` stands where no name can end.",
        f"{QUOTE_IT} Or: {CHECK_INDENTATION}",
    ),
    ("sequence entries are not allowed here", "A list can not begin here.", "Begin it on a line of its own."),
    ("could not find expected ':'", "This line has no `:` after its name.", "Write `name: value`."),
    ("found unexpected end of stream", "The quote that begins here does not end.", "Add the closing quote."),
    ("found unexpected document separator", "The quote that begins here does not end.", "Add the closing quote."),
    ("expected ',' or ']'", "The list that begins here is not closed, or lacks a comma.", "Write `[one, two]`."),
    ("expected ',' or '}'", "The mapping that begins here is not closed, or lacks a comma.", "Write `{name: value}`."),
    ("expected <block end>", "This does not fit the lines above.", CHECK_INDENTATION),
    ("expected the node content", "A value is expected here.", QUOTE_IT),
    ("found unknown escape", "A `\\` in double quotes begins an escape that YAML does not have.", "Use single quotes."),
    ("hexadecimal numbers", "A `\\` in double quotes begins an escape that YAML does not have.", "Use single quotes."),
    ("found undefined tag handle", "Tags are not used here.", f"Remove it. If text begins with `!`: {QUOTE_IT}"),
    ("block scalar", "After `|` or `>` the line has to end.", "Begin the text on the next line, indented."),
    ("while scanning an alias", "`*` begins an alias, and no name follows.", QUOTE_IT),
    ("while scanning an anchor", "`&` begins an anchor, and no name follows.", QUOTE_IT),
    ("tag", "Tags are not used here.", f"Remove it. If text begins with `!`: {QUOTE_IT}"),
    ("directive", "`%` lines are not used here.", "Remove it."),
    ("incompatible YAML document", "`%YAML` asks for another version.", "Remove the line."),
    ("<document start>", "The document ended above, and more follows.", CHECK_INDENTATION),
)
# where the mark of the context is the place that the reader has to look at
_AT_CONTEXT = ("could not find expected ':'", "found unexpected", "expected ',' or")
_CANNOT_START = re.compile(r"found character '(\\?.)' that cannot start any token", re.DOTALL)


def report_syntax_error(error: Exception, findings: Findings, *, near: int) -> None:
    """Add a problem for an error of PyYAML's. `near` is where the last value began, for errors without a place."""
    if isinstance(error, yaml.reader.ReaderError):
        message = f"The character U+{int(error.character):04X} is not allowed in YAML."
        findings.add(int(error.position), message, "Remove it.")
    elif isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        _report_marked(error, findings)
    else:
        findings.add(near, "An escape in double quotes after this place names no character.", "Use single quotes.")


def _report_marked(error: yaml.MarkedYAMLError, findings: Findings) -> None:
    assert error.problem_mark is not None
    words = f"{error.context or ''} {error.problem or ''}"
    at_context = error.context_mark is not None and any(part in words for part in _AT_CONTEXT)
    mark = error.context_mark if at_context and error.context_mark is not None else error.problem_mark
    found = _CANNOT_START.search(words)
    if found:
        _report_start(found.group(1), mark.index, findings)
        return
    for part, message, fix in _MEANINGS:
        if part in words:
            findings.add(mark.index, message, fix)
            return
    findings.add(mark.index, f"This is not YAML: {words.strip()}.", QUOTE_IT)


def _report_start(character: str, index: int, findings: Findings) -> None:
    if character == "\\t":
        lines = _lines_with_tabs(findings)
        others = f", on lines {', '.join(map(str, lines[:6]))}" if len(lines) > 1 else ""
        fix = "Replace tabs by spaces, two for each level."
        findings.add(index, f"A tab stands where YAML wants spaces{others}.", fix)
        return
    rest = findings.source.shown[index:].splitlines()[0].split(" #")[0].rstrip(" ,]}")
    if character == "`":
        findings.add(index, "Text can not begin with a backtick.", QUOTE_IT)
        return
    findings.add(index, f"Text can not begin with {quoted(character)}.", f'Put it in quotes: `"{plain(rest)}"`.')


def _lines_with_tabs(findings: Findings) -> list[int]:
    lines = findings.source.text.splitlines()
    return [number for number, line in enumerate(lines, 1) if "\t" in line[: len(line) - len(line.lstrip())]]
