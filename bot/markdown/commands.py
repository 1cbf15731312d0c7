"""The lines of a comment that may be commands."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

from bot.domain.command import CommandLine

COMMENT_LIMIT = 65_536  # characters, GitHub's own limit for a comment
_DEEPEST_INDENT = 3  # spaces; Markdown takes four for code

# The markers of quotes and lists at the start of a line, up to its last quote
_MARKERS = re.compile(r"^[ \t>*+\-0-9.)]*>", re.MULTILINE)
_QUOTES_IN_QUOTES = re.compile(r">(?: {0,3}>)+")

_STARTS = "line_starts"
_NO_END = "html_comment_without_end"


def command_lines(body: str) -> list[CommandLine]:
    """Lines that begin with a slash, in paragraphs of the comment itself.

    So not in code (fenced, indented, or between backticks over several lines), quotes, lists, headings, HTML blocks or
    HTML comments. What follows the first 65,536 characters is not read.
    """
    if len(body) > COMMENT_LIMIT:
        body = body[:COMMENT_LIMIT].rpartition("\n")[0]
    if "/" not in body:
        return []
    body = body.replace("\r\n", "\n").replace("\r", "\n")
    source = body.split("\n")
    # markdown-it-py 4.3 raises IndexError for a quote that ends with the text; with a last line end it does not (#415)
    tokens = _PARSER.parse(_with_flat_quotes(body) + "\n")
    paragraphs = [token.map for token in tokens if token.type == "paragraph_open" and token.level == 0]
    found = []
    for first, end in filter(None, paragraphs):
        found += [CommandLine(first + index + 1, text) for index, text in _slash_lines(source[first:end])]
    return found


def _with_flat_quotes(body: str) -> str:
    """A quote within a quote as one quote: no command is in either, and each level reads all its lines again."""
    return _MARKERS.sub(lambda markers: _QUOTES_IN_QUOTES.sub(">", markers.group()), body)


def _slash_lines(paragraph: Sequence[str]) -> list[tuple[int, str]]:
    """Index and text of the lines that begin with a slash, in neither a code span nor an HTML comment."""
    starts = _visible_line_starts("\n".join(paragraph)) if any("/" in line for line in paragraph) else set()
    found, position = [], 0
    for index, line in enumerate(paragraph):
        text = line.lstrip(" ")
        if text.startswith("/") and len(line) - len(text) <= _DEEPEST_INDENT and position in starts:
            found.append((index, text.rstrip()))
        position += len(line) + 1
    return found


def _visible_line_starts(content: str) -> set[int]:
    starts = {0}
    _PARSER.inline.parse(content, _PARSER, {_STARTS: starts}, [])
    return starts


def _note_line_start(state: StateInline, silent: bool) -> bool:
    """Takes no character: only notes that a line begins, where no other rule has swallowed the line break."""
    newline = state.pos + (state.src[state.pos] == "\\")
    if not silent and state.src.startswith("\n", newline):
        state.env[_STARTS].add(newline + 1)
    return False


def _skip_html_comment(state: StateInline, silent: bool) -> bool:  # noqa: ARG001  # markdown-it's signature
    if not state.src.startswith("<!--", state.pos) or _NO_END in state.env:
        return False
    end = state.src.find("-->", state.pos + len("<!"))
    if end < 0:
        state.env[_NO_END] = True  # a thousand openings must not search to the end a thousand times
        return False
    state.pos = end + len("-->")
    return True


def _parser() -> MarkdownIt:
    """CommonMark's blocks, except that dashes below a command do not make it a heading; of what stands in lines, only
    what can hide where a line begins."""
    parser = MarkdownIt("commonmark").disable(["lheading", "reference"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    parser.inline.ruler.before("text", "line_start", _note_line_start)
    parser.inline.ruler.before("text", "html_comment", _skip_html_comment)
    parser.inline.ruler.enableOnly(["line_start", "html_comment", "text", "newline", "escape", "backticks"])
    parser.inline.ruler2.enableOnly([])
    return parser


_PARSER = _parser()
