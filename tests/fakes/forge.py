"""The plain-git forge as it is, which also tells what it was asked for, and fails when a test wants it to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bot.domain.change import Change
from bot.domain.check import Check
from bot.domain.feedback import Reaction
from bot.forges.plain import PlainForge
from bot.ports.forge import Permission


class RecordingForge(PlainForge):
    """`before` maps a method's name to what happens before it: a fault, or somebody else who is quicker."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.calls: Counter[str] = Counter()
        self.before: dict[str, Callable[[], None]] = {}
        self.readers: tuple[str, ...] = ()
        self.low_until: datetime | None = None

    def put_comment(self, change: Change, *, marker: str, body: str, known_id: str | None) -> str:
        self._note("put_comment")
        return super().put_comment(change, marker=marker, body=body, known_id=known_id)

    def put_check(self, repository: str, check: Check, *, known_id: str | None) -> str:
        self._note("put_check")
        return super().put_check(repository, check, known_id=known_id)

    def react(self, repository: str, number: int, comment_id: str, reaction: Reaction) -> None:
        self._note("react")
        super().react(repository, number, comment_id, reaction)

    def permission(self, repository: str, user: str) -> Permission:
        return Permission.READ if user in self.readers else super().permission(repository, user)

    def saves_quota_until(self, repository: str) -> datetime | None:
        return self.low_until

    def _note(self, name: str) -> None:
        self.calls[name] += 1
        self.before.pop(name, lambda: None)()
