"""A merge request, from a hook or from the API, in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.change import Change, ChangeState
from bot.forges.gitlab.fields import integer, mapping, moment, text
from bot.forges.gitlab.names import is_branch, is_sha, storable

GHOST = "ghost"  # as GitLab names the author of what a deleted user left
_STATES = {
    "opened": ChangeState.OPEN,
    "locked": ChangeState.OPEN,  # for the moments in which it is merged
    "closed": ChangeState.CLOSED,
    "merged": ChangeState.MERGED,
}


@dataclass(frozen=True, slots=True)
class MergeRequest:
    """`author` is "" when only `author_id` is told, `head_sha` "" when there is none, as without a source branch."""

    number: int
    title: str
    author_id: int
    author: str
    source_branch: str
    target_branch: str
    head_sha: str
    from_fork: bool
    state: ChangeState
    opened_at: datetime
    updated_at: datetime

    def change(self, repository: str, *, author: str) -> Change:
        return Change(
            repository=repository,
            number=self.number,
            title=self.title,
            author=author,
            source_branch=self.source_branch,
            target_branch=self.target_branch,
            head_sha=self.head_sha,
            from_fork=self.from_fork,
            state=self.state,
            opened_at=self.opened_at,
        )


def merge_request_of_hook(attributes: Mapping[str, Any]) -> MergeRequest | None:
    return _read(
        attributes, head=text(mapping(attributes, "last_commit"), "id"), author={"id": attributes.get("author_id")}
    )


def merge_request_of_api(answer: Mapping[str, Any]) -> MergeRequest | None:
    author = mapping(answer, "author") or {"username": GHOST}
    return _read(answer, head=text(answer, "sha"), author=author)


def _read(fields: Mapping[str, Any], *, head: str, author: Mapping[str, Any]) -> MergeRequest | None:
    state = _STATES.get(text(fields, "state"))
    opened_at, updated_at = moment(fields, "created_at"), moment(fields, "updated_at")
    source, target = text(fields, "source_branch"), text(fields, "target_branch")
    number, target_project = integer(fields, "iid"), integer(fields, "target_project_id")
    if state is None or opened_at is None or number <= 0 or target_project <= 0:
        return None
    if not is_branch(source) or not is_branch(target):
        return None
    return MergeRequest(
        number=number,
        title=storable(text(fields, "title")),
        author_id=integer(author, "id"),
        author=storable(text(author, "username")),
        source_branch=source,
        target_branch=target,
        head_sha=head if is_sha(head) else "",
        # a fork that is gone has no id any more, and stays one
        from_fork=integer(fields, "source_project_id") != target_project,
        state=state,
        opened_at=opened_at,
        updated_at=updated_at or opened_at,
    )
