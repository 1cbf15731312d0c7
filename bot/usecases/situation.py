"""Where a command was said, and what it is answered."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.change import Change, Comment, Repository
from bot.domain.command import Command
from bot.domain.errors import UserError
from bot.domain.run import Run
from bot.domain.words import quoted
from bot.usecases.world import World


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a command was said, and by whom."""

    repository: Repository
    change: Change
    comment: Comment
    world: World

    @property
    def author(self) -> str:
        return self.comment.author

    def trigger(self, command: Command) -> str:
        return f"comment:{self.comment.id}:{command.line}"


@dataclass(frozen=True, slots=True)
class Answer:
    body: str
    is_refusal: bool = False


def newest_runs(situation: Situation, model: str | None) -> list[Run]:
    """Of each model at the change's head; the given model must be one of them."""
    change = situation.change
    runs = situation.world.store.runs(repository=change.repository, number=change.number, limit=500)
    newest: dict[str, Run] = {}
    for run in runs:
        if run.sha == change.head_sha:
            newest.setdefault(run.model, run)
    if model is None:
        return [newest[name] for name in sorted(newest)]
    if model not in newest:
        raise UserError(f"{quoted(model)} has no run at this head.", "Start one with `/train`.")
    return [newest[model]]
