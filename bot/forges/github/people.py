"""What people write on a pull request: in its conversation, in reviews, and beside lines of a diff."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from bot.domain.change import Comment
from bot.forges.github.fields import integer, mapping, moment, text
from bot.forges.github.names import is_login, key_of

# a review's comments get its time when it is submitted, a moment after it
_SUBMITTING = timedelta(seconds=10)


class CommentKind(StrEnum):
    """Each kind has ids of its own."""

    CONVERSATION = "comment"
    REVIEW = "review"
    DIFF = "review-comment"


_ID = re.compile(rf"({'|'.join(CommentKind)}):([0-9]{{1,19}})")


@dataclass(frozen=True, slots=True)
class Written:
    """A comment, with the id by which GraphQL knows it."""

    comment: Comment
    node_id: str


def comment_id(kind: CommentKind, number: int) -> str:
    return f"{kind}:{number}"


def parse_comment_id(text_: str) -> tuple[CommentKind, int] | None:
    found = _ID.fullmatch(text_)
    return (CommentKind(found[1]), int(found[2])) if found else None


def ids_in(text_: str) -> list[str]:
    """The comment ids that a text names."""
    return [found[0] for found in _ID.finditer(text_)]


def read_written(kind: CommentKind, fields: Mapping[str, Any], full_name: str, number: int) -> Written | None:
    """None for what bots and deleted users wrote, for empty reviews, and for what is not documented."""
    user, id_ = mapping(fields, "user"), integer(fields, "id")
    login = text(user, "login")
    written_at = moment(fields, "submitted_at" if kind is CommentKind.REVIEW else "created_at")
    body = text(fields, "body")
    is_person = is_login(login) and user.get("type") != "Bot" and not login.endswith("[bot]")
    if not id_ or not number or written_at is None or not is_person or not body.strip():
        return None
    comment = Comment(comment_id(kind, id_), key_of(full_name), number, login, body, written_at)
    return Written(comment, text(fields, "node_id"))


def was_edited(fields: Mapping[str, Any], *, submitted_at: datetime | None = None) -> bool:
    """Whether the body may not be the one that was created. A review's comments are drafted before it is submitted."""
    created, updated = moment(fields, "created_at"), moment(fields, "updated_at")
    if created is None or updated is None:
        return False
    return updated > (max(created, submitted_at) + _SUBMITTING if submitted_at is not None else created)


def looks_like_ours(body: str) -> bool:
    """Whether a body begins or ends with a hidden mark, as those that the bot writes do."""
    stripped = body.strip()
    return stripped.startswith("<!--") or stripped.endswith("-->")
