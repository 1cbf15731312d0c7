"""What is wrong with a file: each problem with its place, in words, and the fix."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.errors import UserError
from bot.domain.masking import MASK, mask
from bot.domain.words import plain

MOST_PROBLEMS = 100  # shown at once; nobody mends more in one go
LONGEST_MESSAGE = 600  # characters
EXCERPT_WIDTH = 110  # characters of a source line that are shown
_MASKING_CONTEXT = 2000  # characters on either side in which a token is recognised

SHORTEST_HIDDEN = 3  # characters; shorter ones are found in ordinary words

_VISIBLE = re.compile(r"\S")
_QUOTED = re.compile(r"`([^`]*)`")
_LINE_BREAK = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, order=True)
class FileProblem:
    """`line` and `column` count from 1, in characters. `where` is the place in words: `models.churn.train.run`.

    `message` says what was found and what was expected; `excerpt` is the line with a caret below the place.
    """

    line: int
    column: int
    where: str
    message: str
    fix: str = ""
    excerpt: str = ""

    @property
    def sentence(self) -> str:
        """Message and fix in one paragraph, for annotations."""
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message} {self.fix}".strip()


class FileError(UserError):
    """All that is wrong with a file, in the order of the file. Each kind of file has a class of its own."""

    file_name = "The file"

    def __init__(self, errors: Iterable[FileProblem]) -> None:
        self.errors = tuple(errors)
        lines = [f"line {error.line}, column {error.column}: {error.sentence}" for error in self.errors]
        count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        super().__init__("\n".join([f"{self.file_name} has {count}:", *lines]))


class Source:
    """The text of a file, and where its characters stand. What lies between the indexes of `hidden` is not repeated."""

    def __init__(self, text: str, hidden: Iterable[tuple[int, int]] = ()) -> None:
        self.text = text
        self.shown = _hide(text, hidden)
        self._breaks = [(match.start(), match.end()) for match in _LINE_BREAK.finditer(text)]
        self._line_starts = [0, *(end for _, end in self._breaks)]

    def position(self, index: int) -> tuple[int, int]:
        """Line and column of a character, from 1."""
        line = bisect_right(self._line_starts, index)
        return line, index - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """As it may be shown."""
        end = self._breaks[number - 1][0] if number <= len(self._breaks) else len(self.text)
        return self.shown[self._line_starts[number - 1] : end]

    def without_hidden(self, words: str) -> str:
        """A sentence of ours in which what is hidden may stand between backticks."""
        if self.shown == self.text:
            return words
        return _QUOTED.sub(lambda match: f"`{MASK}`" if self._tells(match.group(1)) else match.group(), words)

    def _tells(self, quote: str) -> bool:
        parts = [part for part in quote.strip("…").split() if len(part) >= SHORTEST_HIDDEN]
        return any(part in self.text and part not in self.shown for part in parts)

    def excerpt(self, index: int) -> str:
        """The line of a character and a caret below it; tokens are masked, a long line is cut."""
        number, column = self.position(index)
        first = max(0, column - 1 - _MASKING_CONTEXT)
        near = self.line(number)[first : column - 1 + _MASKING_CONTEXT]
        before, shown = _shown(near[: column - 1 - first]), _shown(near)
        start = max(0, len(before) - EXCERPT_WIDTH // 2)
        cut = "…" if start or first else ""
        source = f"{number:>4} | {cut}{shown[start : start + EXCERPT_WIDTH]}"
        return f"{source.rstrip()}\n{' ' * 4} | {' ' * (len(before) - start + len(cut))}^"


@dataclass(frozen=True, slots=True, order=True)
class _Finding:
    index: int
    where: str
    message: str
    fix: str


class Findings:
    """Collects problems by the index of a character in the source; raised as an `error`."""

    def __init__(self, source: Source, error: type[FileError] = FileError) -> None:
        self.source = source
        self._error = error
        self._found: set[_Finding] = set()

    def add(self, index: int, message: str, fix: str = "", *, where: str = "") -> None:
        self._found.add(_Finding(index, where, message, fix))

    def raise_if_any(self) -> None:
        """Raises FileError with the first hundred, in the order of the file."""
        if self._found:
            raise self._error(self._problem(finding) for finding in sorted(self._found)[:MOST_PROBLEMS])

    def _problem(self, finding: _Finding) -> FileProblem:
        line, column = self.source.position(finding.index)
        message, fix = (_cut(mask(self.source.without_hidden(text))) for text in (finding.message, finding.fix))
        return FileProblem(line, column, finding.where, message, fix, self.source.excerpt(finding.index))


def _hide(text: str, hidden: Iterable[tuple[int, int]]) -> str:
    parts, done = [], 0
    for start, end in sorted(hidden):
        parts += [text[done:start], _VISIBLE.sub("*", text[max(start, done) : end])]
        done = max(done, end)
    return "".join([*parts, text[done:]])


def _shown(text: str) -> str:
    return plain(mask(text), limit=len(text) + 100)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"
