"""Each command as a value, and a line that is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A line of a comment that begins with a slash. `number` counts the comment's lines from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`line` is the number of the comment's line that it stands in."""

    line: int = 0


@dataclass(frozen=True, slots=True)
class Train(Command):
    """`params` are as they were written, see `bot.domain.params`. A `model` of None means all, here and below."""

    model: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    data_rev: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Evaluate(Command):
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Status(Command):
    pass


@dataclass(frozen=True, slots=True)
class Help(Command):
    pass


@dataclass(frozen=True, slots=True)
class Cancel(Command):
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Retry(Command):
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Override(Command):
    """`gate` is a gate's text or its metric's name, see `bot.domain.gate.find_gate`."""

    gate: str
    reason: str


@dataclass(frozen=True, slots=True)
class OkToTest(Command):
    pass


@dataclass(frozen=True, slots=True)
class Deploy(Command):
    """`is_major` makes the next version a major one."""

    environment: str
    model: str | None = None
    is_major: bool = False


@dataclass(frozen=True, slots=True)
class Approve(Command):
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Reject(Command):
    """Where no environment has the name `environment`, it is the reason's first word."""

    environment: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rollback(Command):
    environment: str
    model: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class CommandProblem:
    """A line that is meant for us and not understood: the answer to it, in Markdown."""

    line: int
    text: str
    problem: str
    fix: str
