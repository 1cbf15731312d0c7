"""What the plain-git forge has to remember, as GitHub remembers its own: changes' numbers, comments, checks.

Only `bot/forges/plain/` uses this; `bot/store/` keeps it, in tables of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.change import Change
from bot.domain.check import Check


@dataclass(frozen=True, slots=True)
class Post:
    """A comment on a change's page, by a person or by the bot (`is_bot`). `reactions` are names such as `eyes`."""

    id: str
    repository: str
    number: int
    author: str
    body: str
    is_bot: bool
    created_at: datetime
    updated_at: datetime
    reactions: tuple[str, ...] = ()


class PlainRecords(Protocol):
    def change_of_branch(self, repository: str, branch: str) -> Change | None:
        """The open change of a branch."""

    def add_change(self, change: Change) -> Change:
        """Store it under the repository's next free number, which is put in place of the given one. When the branch
        has an open change already (two pushes raced), that one is returned unchanged."""

    def save_change(self, change: Change) -> None: ...

    def change(self, repository: str, number: int) -> Change | None: ...

    def changes(self, repository: str) -> list[Change]: ...

    def add_post(
        self, repository: str, number: int, *, author: str, body: str, is_bot: bool, now: datetime
    ) -> Post: ...

    def save_post(self, post_id: str, *, body: str, now: datetime) -> None: ...

    def post(self, post_id: str) -> Post | None: ...

    def posts(self, repository: str, number: int) -> list[Post]:
        """Oldest first."""

    def set_reactions(self, post_id: str, reactions: Sequence[str]) -> None: ...

    def save_check(self, repository: str, check: Check) -> str:
        """Insert or replace the check of this name on its sha; gives its id."""

    def checks(self, repository: str, sha: str) -> list[Check]: ...
