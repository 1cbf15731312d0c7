"""A pull request, from a webhook or from the API, in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.change import Change, ChangeState
from bot.forges.github.fields import integer, mapping, moment, text
from bot.forges.github.names import GHOST, is_branch, is_sha, key_of


@dataclass(frozen=True, slots=True)
class Pull:
    """A change, and when GitHub last touched it. `comments` counts those in its conversation; None when not told."""

    change: Change
    updated_at: datetime
    comments: int | None


def read_pull(fields: Mapping[str, Any], full_name: str) -> Pull | None:
    """None when it is not what is documented, or belongs to another repository."""
    head, base = mapping(fields, "head"), mapping(fields, "base")
    number, state = integer(fields, "number"), _state(fields)
    opened_at, updated_at = moment(fields, "created_at"), moment(fields, "updated_at")
    source, target, sha = text(head, "ref"), text(base, "ref"), text(head, "sha")
    if not number or state is None or opened_at is None or not is_sha(sha):
        return None
    if not is_branch(source) or not is_branch(target) or text(mapping(base, "repo"), "full_name") != full_name:
        return None
    change = Change(
        repository=key_of(full_name),
        number=number,
        title=text(fields, "title"),
        author=text(mapping(fields, "user"), "login") or GHOST,
        source_branch=source,
        target_branch=target,
        head_sha=sha,
        # a fork that was deleted has no repository any more, and stays one
        from_fork=text(mapping(head, "repo"), "full_name") != full_name,
        state=state,
        opened_at=opened_at,
    )
    return Pull(change, updated_at or opened_at, _count(fields.get("comments")))


def _state(fields: Mapping[str, Any]) -> ChangeState | None:
    match fields.get("state"):
        case "open":
            return ChangeState.OPEN
        case "closed":
            return ChangeState.MERGED if moment(fields, "merged_at") else ChangeState.CLOSED
        case _:
            return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
