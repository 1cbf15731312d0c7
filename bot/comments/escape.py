"""Text from outside, made safe to stand in Markdown on any forge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

ZERO_WIDTH_SPACE = "\u200b"
LOG_LINE_LIMIT = 240  # characters

# C0 and C1 controls, line and paragraph separators, marks that reorder or hide what is read, lone surrogates, tags
_UNSHOWN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACES = re.compile(r"\s+")
_TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_SPECIAL = str.maketrans({"|": "&#124;"} | {character: f"\\{character}" for character in "\\`[]~$"})
_TAG_OR_ENTITY = re.compile(r"<(?![= \d])|&(?! )")  # `<= 0.2` begins no tag, and stays legible as text
_EMPHASIS = re.compile(r"(?<![^\W_])_|_(?![^\W_])|(?<!\s)\*|\*(?!\s)")  # `_` inside a word, and ` * `, mean nothing
_ADDRESS = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)
_LEADING = re.compile(r"^([-+*#=>]|\d{1,9}(?=[.)](?:\s|$)))")
# Forges look for these after Markdown, so that neither a backslash nor an entity stops them (github/cmark-gfm#181)
_REFERENCE = re.compile(r"([@#!%](?=[\w\"-])|\bGH-(?=\d))", re.IGNORECASE)


class Markdown(str):
    """Text that is Markdown already; everything else is escaped when it is put into a template."""

    __slots__ = ()


def one_line(text: str, *, limit: int | None = None) -> str:
    """What can be seen of a text, on one line."""
    if limit is not None:
        text = text[: limit * 4]  # so that a text of megabytes costs nothing
    shown = _SPACES.sub(" ", _UNSHOWN.sub(" ", text)).strip()
    return shown if limit is None or len(shown) <= limit else shown[: limit - 1] + "…"


def md_escape(text: str, *, limit: int | None = 300) -> Markdown:
    """The text as it is read, wherever it stands in a line: in a paragraph, a table's cell, a link's words."""
    escaped = _TAG_OR_ENTITY.sub(lambda found: "&lt;" if found[0] == "<" else "&amp;", one_line(text, limit=limit))
    escaped = escaped.translate(_SPECIAL)
    escaped = _EMPHASIS.sub(r"\\\g<0>", escaped)
    escaped = _ADDRESS.sub(lambda found: f"\\{found[0]}", escaped)
    escaped = _REFERENCE.sub(rf"\1{ZERO_WIDTH_SPACE}", escaped)
    return Markdown(_LEADING.sub(_break_leading, escaped))


def _break_leading(found: re.Match[str]) -> str:
    """`1.` at the start of a line would begin a list, `#` a heading."""
    return f"{found[0]}{ZERO_WIDTH_SPACE}" if found[0].isdecimal() else f"\\{found[0]}"


def code_span(text: str, *, limit: int | None = 80) -> Markdown:
    """The text as code; also right in a table's cell, where a pipe would end the cell even inside code."""
    shown = one_line(text, limit=limit)
    if not shown:
        return Markdown("` `")
    if "|" in shown:
        return Markdown(f"<code>{md_escape(shown, limit=None)}</code>")
    shown = shown.replace("<!--", f"<!{ZERO_WIDTH_SPACE}--")  # a marker of ours is never repeated
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return Markdown(f"{fence}{pad}{shown}{pad}{fence}")


def prose(text: str, *, limit: int = 600) -> Markdown:
    """A sentence that may hold code between backticks, as our own messages do; everything else is escaped."""
    parts = one_line(text, limit=limit).split("`")
    if len(parts) % 2 == 0:  # one backtick too many: it stands for itself
        parts[-2:] = ["`".join(parts[-2:])]
    shown = []
    for number, part in enumerate(parts):
        if number % 2 == 0:
            lead = " " if part.startswith(" ") and number else ""
            tail = " " if part.endswith(" ") and number + 1 < len(parts) and part.strip() else ""
            shown.append(f"{lead}{md_escape(part, limit=None)}{tail}")
        else:
            shown.append(code_span(part, limit=None) if part.strip() else "\\`\\`")
    return Markdown("".join(shown))


def sentences(lines: Sequence[str]) -> Markdown:
    """Lines of prose, of which those that begin with `- ` are a list's."""
    shown = [Markdown(f"- {prose(line[2:])}") if line.startswith("- ") else prose(line) for line in lines]
    return Markdown("\n".join(shown))


def fenced(lines: Sequence[str]) -> Markdown:
    """Lines of a log as a code block whose fence is longer than any inside."""
    shown = [_log_line(line) for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(shown)) + 1)
    return Markdown("\n".join([f"{fence}text", *shown, fence]))


def shell_block(lines: Sequence[str]) -> Markdown:
    """Command lines to be copied, whole and as they are but for what can not be seen."""
    shown = [_UNSHOWN.sub(" ", line).replace("<!--", f"<!{ZERO_WIDTH_SPACE}--") for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(shown)) + 1)
    return Markdown("\n".join([f"{fence}sh", *shown, fence]))


def _log_line(line: str) -> str:
    """Without colours; of a progress bar that redraws itself, the last state."""
    drawn = [part for part in _TERMINAL_CODES.sub("", line[: LOG_LINE_LIMIT * 40]).split("\r") if part.strip()]
    shown = _UNSHOWN.sub(" ", (drawn or [""])[-1].replace("\t", "    ")).rstrip()
    shown = shown.replace("<!--", f"<!{ZERO_WIDTH_SPACE}--")
    return shown if len(shown) <= LOG_LINE_LIMIT else shown[: LOG_LINE_LIMIT - 1] + "…"


def link(words: Markdown | str, address: str) -> Markdown:
    """Only the words where there is no address."""
    shown = words if isinstance(words, Markdown) else md_escape(words)
    return Markdown(f"[{shown}]({url(address)})") if address else Markdown(shown)


def url(address: str) -> str:
    """An address of ours, in which nothing can end the link."""
    return quote(address, safe=":/?#[]@!$&'*+,;=%~", errors="replace")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
