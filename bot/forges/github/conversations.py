"""What people wrote on changes, for catching up. What has not moved since it was read is not asked for again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.change import Change
from bot.domain.clock import Clock
from bot.forges.github.client import Client
from bot.forges.github.fields import integer, moment
from bot.forges.github.identity import Identity
from bot.forges.github.names import full_name_of
from bot.forges.github.people import CommentKind, Written, read_written, was_edited

# GitHub's times are in whole seconds, and its clock is not ours
_SETTLED_AFTER = timedelta(seconds=60)
_REMEMBERED_CHANGES = 2000
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Page:
    """Comments by people, and the newest time of anybody's: where the next reading begins."""

    written: tuple[Written, ...]
    newest: datetime | None
    submitted: Mapping[int, datetime]


@dataclass(slots=True)
class _Conversation:
    updated_at: datetime | None = None
    read_at: datetime = _NEVER
    cursors: dict[CommentKind, datetime] = field(default_factory=dict)
    written: dict[str, Written] = field(default_factory=dict)


class Conversations:
    def __init__(self, client: Client, identity: Identity, clock: Clock) -> None:
        self._client = client
        self._identity = identity
        self._clock = clock
        self._read: OrderedDict[tuple[str, int], _Conversation] = OrderedDict()

    def of(self, change: Change, *, updated_at: datetime | None) -> Sequence[Written]:
        """Oldest first. `updated_at` is when the change last moved, None when that is not known. Comments that were
        edited are left out: what they said when they were created is not known any more."""
        place = change.repository, change.number
        known = self._read.setdefault(place, _Conversation())
        self._read.move_to_end(place)
        while len(self._read) > _REMEMBERED_CHANGES:
            self._read.popitem(last=False)
        is_settled = updated_at is not None and known.read_at - updated_at > _SETTLED_AFTER
        if not is_settled or known.updated_at != updated_at:
            self._renew(known, full_name_of(change.repository), change.number)
            known.updated_at = updated_at
        return sorted(known.written.values(), key=_age)

    def _renew(self, known: _Conversation, full_name: str, number: int) -> None:
        read_at = self._clock()
        reviews = self._pages(full_name, number, CommentKind.REVIEW, {}, {})
        submitted = {id_: at for page in reviews for id_, at in page.submitted.items()}
        found = {CommentKind.REVIEW: reviews}
        for kind in (CommentKind.CONVERSATION, CommentKind.DIFF):
            cursor = known.cursors.get(kind)
            query = {"since": cursor.isoformat().replace("+00:00", "Z")} if cursor else {}
            found[kind] = self._pages(full_name, number, kind, query, submitted)
        for kind, pages in found.items():
            known.written |= {one.comment.id: one for page in pages for one in page.written}
            newest = max((page.newest for page in pages if page.newest is not None), default=None)
            if newest is not None:
                known.cursors[kind] = newest
        known.read_at = read_at

    def _pages(
        self,
        full_name: str,
        number: int,
        kind: CommentKind,
        query: Mapping[str, Any],
        submitted: Mapping[int, datetime],
    ) -> list[_Page]:
        paths = {
            CommentKind.CONVERSATION: f"/repos/{full_name}/issues/{number}/comments",
            CommentKind.REVIEW: f"/repos/{full_name}/pulls/{number}/reviews",
            CommentKind.DIFF: f"/repos/{full_name}/pulls/{number}/comments",
        }

        def read(answer: Any) -> _Page:
            listed = [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []
            return self._page(kind, listed, full_name, number, submitted)

        # apart from those of `Comments`, which makes something else of the same pages
        return list(self._client.pages(full_name, f"people's {kind}", paths[kind], query, read))

    def _page(
        self,
        kind: CommentKind,
        listed: list[dict[str, Any]],
        full_name: str,
        number: int,
        submitted: Mapping[int, datetime],
    ) -> _Page:
        written = []
        for item in listed:
            one = read_written(kind, item, full_name, number)
            review = submitted.get(integer(item, "pull_request_review_id"))
            is_as_created = kind is CommentKind.REVIEW or not was_edited(item, submitted_at=review)
            if one is not None and is_as_created and not self._identity.wrote_as(one.comment.author, one.comment.body):
                written.append(one)
        times = [at for item in listed if (at := moment(item, "updated_at")) is not None]
        reviews = {integer(item, "id"): at for item in listed if (at := moment(item, "submitted_at")) is not None}
        return _Page(tuple(written), max(times, default=None), reviews)


def _age(written: Written) -> tuple[datetime, str]:
    return written.comment.created_at, written.comment.id
