"""Gates: requirements on metrics, parsed and never evaluated as code."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from bot.domain.errors import UserError
from bot.domain.nearest import nearest
from bot.domain.words import plain, quoted


class Incumbent(StrEnum):
    """What a gate may compare with: the newest result on the target branch, or the version in production."""

    BASE = "base"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Gate:
    """`metric op number`, or `metric op incumbent [arithmetic number]`.

    `text` is the gate as it was written, on one line.
    `op` is one of `>=`, `>`, `<=`, `<`, `==`; `arithmetic` one of `+`, `-`, `*`, `/` or "" for none.
    """

    text: str
    metric: str
    op: str
    number: float
    incumbent: Incumbent | None = None
    arithmetic: str = ""


GRAMMAR = "`metric >= 0.93`, or `metric >= production - 0.005`"
LONGEST_GATE = 200  # characters

# `@` and `/` occur in common names: `precision@10`, `val/loss`
_METRIC = re.compile(r"[A-Za-z_][A-Za-z0-9_.@/-]*")
_OP = re.compile(r"[<>=!≥≤≠~]+")
_KNOWN_OPS = (">=", ">", "<=", "<", "==")
_MEANT_OPS = {"=": "==", "===": "==", "=>": ">=", "=<": "<=", "≥": ">=", "≤": "<=", ">>": ">", "<<": "<"}
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ARITHMETIC = re.compile(r"[-+*/−×÷]")
_MEANT_ARITHMETIC = {"−": "-", "×": "*", "÷": "/"}
_SPACE = re.compile(r"\s*")


class GateSyntaxError(UserError):
    """A gate that is not understood. `column` counts characters from 0, in the gate's own text."""

    def __init__(self, text: str, column: int, problem: str, fix: str) -> None:
        super().__init__(f"gate {quoted(text)}, character {column + 1}: {problem}", fix)
        self.text = text
        self.column = column

    @property
    def caret(self) -> str:
        return caret_under(self.text, self.column)


def caret_under(text: str, column: int) -> str:
    """Two lines: the text, and a caret under the character at `column` (from 0)."""
    return f"{plain(text, limit=LONGEST_GATE)}\n{' ' * min(column, LONGEST_GATE)}^"


def parse_gate(text: str) -> Gate:
    """Raises GateSyntaxError, which names the character where understanding ended, and the fix."""
    if len(text) > LONGEST_GATE:
        raise GateSyntaxError(text, LONGEST_GATE, f"longer than {LONGEST_GATE} characters.", f"Write {GRAMMAR}.")
    cursor = _Cursor(text)
    metric = cursor.take(_METRIC, "the name of a metric")
    op = _op(cursor)
    cursor.skip_space()
    if cursor.sees(_WORD):
        return _gate_on_incumbent(cursor, metric, op)
    number = cursor.number()
    cursor.end(after=f"the number, and only `base` and `production` take {quoted('+ - * /')}")
    return Gate(text=cursor.written(), metric=metric, op=op, number=number)


def _gate_on_incumbent(cursor: _Cursor, metric: str, op: str) -> Gate:
    incumbent = _incumbent(cursor)
    if cursor.at_end():
        return Gate(cursor.written(), metric, op, 0.0, incumbent)
    written = cursor.take(_ARITHMETIC, "one of `+`, `-`, `*`, `/`")
    arithmetic = _MEANT_ARITHMETIC.get(written, written)
    cursor.skip_space()
    start = cursor.position
    number = cursor.number()
    if arithmetic == "/" and number == 0:
        raise cursor.error("division by zero.", "Divide by another number.", at=start)
    cursor.end(after="the number: one operation is all that a gate can do")
    return Gate(cursor.written(), metric, op, number, incumbent, arithmetic)


def _op(cursor: _Cursor) -> str:
    cursor.skip_space()
    start = cursor.position
    written = cursor.take(_OP, "one of `>=`, `>`, `<=`, `<`, `==`")
    if written in _KNOWN_OPS:
        return written
    meant = _MEANT_OPS.get(written)
    fix = f"Write `{meant}`." if meant else "Write one of `>=`, `>`, `<=`, `<`, `==`."
    raise cursor.error(f"{quoted(written)} is not a comparison.", fix, at=start)


def _incumbent(cursor: _Cursor) -> Incumbent:
    start = cursor.position
    word = cursor.take(_WORD, "`base` or `production`")
    if word in list(Incumbent):
        return Incumbent(word)
    meant = nearest(word, list(Incumbent))
    fix = f"Write `{meant}`." if meant else "Write a number, `base` or `production`."
    raise cursor.error(f"{quoted(word)} is neither a number nor `base` or `production`.", fix, at=start)


class _Cursor:
    """A place in a gate's text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def written(self) -> str:
        """The gate on one line, with single spaces."""
        return " ".join(self.text.split())

    def skip_space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def at_end(self) -> bool:
        self.skip_space()
        return self.position == len(self.text)

    def sees(self, pattern: re.Pattern[str]) -> bool:
        return pattern.match(self.text, self.position) is not None

    def take(self, pattern: re.Pattern[str], expected: str) -> str:
        self.skip_space()
        match = pattern.match(self.text, self.position)
        if match is None:
            found = quoted(self.text[self.position :]) if self.position < len(self.text) else "the end"
            raise self.error(f"expected {expected}, found {found}.", f"Write {GRAMMAR}.")
        self.position = match.end()
        return match.group()

    def number(self) -> float:
        self.skip_space()
        start = self.position
        written = self.take(_NUMBER, "a number")
        if self.text[self.position : self.position + 1] == "%":
            share = format(float(written) / 100, ".12g")
            raise self.error(
                f"{quoted(written + '%')} may mean {share} or {written}.",
                f"Write `{share}`, or `{written}` if the metric is reported in percent.",
                at=start,
            )
        number = float(written)
        if not math.isfinite(number):
            raise self.error(f"{quoted(written)} is too large.", "Write a number below 1e308.", at=start)
        return number

    def end(self, *, after: str) -> None:
        if not self.at_end():
            rest = quoted(self.text[self.position :])
            raise self.error(f"{rest} follows after {after}.", f"Write {GRAMMAR}.")

    def error(self, problem: str, fix: str, *, at: int | None = None) -> GateSyntaxError:
        return GateSyntaxError(self.text, self.position if at is None else at, problem, fix)
