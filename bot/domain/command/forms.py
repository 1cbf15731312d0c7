"""How each command is written: the table that reading, usage and help come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.domain.command.kinds import (
    Approve,
    Cancel,
    Command,
    Deploy,
    Evaluate,
    Help,
    OkToTest,
    Override,
    Reject,
    Retry,
    Rollback,
    Status,
    Train,
)
from bot.domain.errors import UserError
from bot.domain.gate import GateSyntaxError, parse_gate
from bot.domain.words import quoted

LONGEST_REVISION = 200  # characters


@dataclass(frozen=True, slots=True)
class Said:
    """A command's words, sorted by kind."""

    words: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()

    def word(self, position: int) -> str | None:
        return self.words[position] if position < len(self.words) else None


@dataclass(frozen=True, slots=True)
class Form:
    """How a command is written. `most` is None where the rest of the line is free text."""

    name: str
    arguments: str
    summary: str
    build: Callable[[Said], Command]
    least: int = 0
    most: int | None = 0
    flags: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    takes_params: bool = False

    @property
    def usage(self) -> str:
        return f"/{self.name} {self.arguments}".strip()


def _train(said: Said) -> Train:
    rev = said.options.get("data")
    if rev is not None:
        _check_revision(rev)
    return Train(model=said.word(0), params=said.params, data_rev=rev, force="--force" in said.flags)


def _check_revision(rev: str) -> None:
    """Git would read some of these as an option, a range or a path."""
    if (
        not rev
        or len(rev) > LONGEST_REVISION
        or rev.startswith("-")
        or ".." in rev
        or re.search(r"[\s:\x00-\x1f]", rev)
    ):
        raise UserError(f"{quoted(f'data={rev}')} is not a revision.", "Write a branch, a tag or a commit: `data=v2`.")


def _override(said: Said) -> Override:
    """The gate is the longest beginning that reads as one, so that it needs no quotes; else the first word."""
    taken = next((n for n in range(min(len(said.words), 7), 0, -1) if _is_gate(" ".join(said.words[:n]))), 1)
    gate, reason = " ".join(said.words[:taken]), " ".join(said.words[taken:])
    if not reason:
        raise UserError(f"Why may {quoted(gate)} be missed?", "Add the reason: it is kept, and shown with the result.")
    return Override(gate=gate, reason=reason)


def _is_gate(text: str) -> bool:
    try:
        parse_gate(text)
    except GateSyntaxError:
        return False
    return True


def _rollback(said: Said) -> Rollback:
    environment, *rest = said.words
    if len(rest) == 1 and re.fullmatch(r"v?[0-9]+(\.[0-9]+)*", rest[0]):
        return Rollback(environment=environment, version=rest[0])
    return Rollback(environment=environment, model=said.word(1), version=said.word(2))


_ALL_FORMS = (
    Form(
        "train",
        "[model] [name=value …] [data=<rev>] [--force]",
        "Train and evaluate this change's head, with these values for its params and this revision of its data. An"
        " equal run that succeeded is shown again, unless `--force`.",
        _train,
        most=1,
        flags=("--force",),
        options=("data",),
        takes_params=True,
    ),
    Form(
        "evaluate",
        "[model]",
        "Evaluate the newest trained model again.",
        lambda said: Evaluate(model=said.word(0)),
        most=1,
    ),
    Form("status", "", "Show what is running, and what has ended.", lambda _said: Status()),
    Form("cancel", "[model]", "End the active runs of this change.", lambda said: Cancel(model=said.word(0)), most=1),
    Form("retry", "[model]", "Run again what failed.", lambda said: Retry(model=said.word(0)), most=1),
    Form(
        "override",
        "<gate> <reason>",
        "Let this change miss a gate: `/override auc known label noise`.",
        _override,
        least=1,
        most=None,
    ),
    Form("ok-to-test", "", "Let a fork's head run, for this commit, without secrets.", lambda _said: OkToTest()),
    Form(
        "deploy",
        "<environment> [model] [--major]",
        "Deploy this change's result, as soon as it is trained, meets its gates and is approved.",
        lambda said: Deploy(environment=said.words[0], model=said.word(1), is_major="--major" in said.flags),
        least=1,
        most=2,
        flags=("--major",),
    ),
    Form(
        "approve",
        "[environment]",
        "Let a waiting deployment pass.",
        lambda said: Approve(environment=said.word(0)),
        most=1,
    ),
    Form(
        "reject",
        "[environment] [reason]",
        "Refuse a waiting deployment.",
        lambda said: Reject(environment=said.word(0), reason=" ".join(said.words[1:])),
        most=None,
    ),
    Form(
        "rollback",
        "<environment> [model] [version]",
        "Serve the version before again, or the one that is named, at once.",
        _rollback,
        least=1,
        most=3,
    ),
    Form("help", "", "Show this table.", lambda _said: Help()),
)
FORMS: Mapping[str, Form] = {form.name: form for form in _ALL_FORMS}
