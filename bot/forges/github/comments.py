"""The bot's own comments: each found by its id, else by its hidden marker over all pages."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import structlog

from bot.domain.change import Change
from bot.domain.errors import TransientError
from bot.forges.github.client import Client
from bot.forges.github.errors import Refused, Uncertain
from bot.forges.github.fields import integer, text
from bot.forges.github.identity import Identity
from bot.forges.github.names import full_name_of
from bot.forges.github.newness import Newness, comments_of
from bot.forges.github.people import ids_in

LONGEST_COMMENT = 65_536  # characters
_REMEMBERED_IDS = 10_000
_MARK = re.compile(r"<!--.*?-->", re.DOTALL)
_MINIMIZE = """
mutation($comment: ID!) {
  minimizeComment(input: {subjectId: $comment, classifier: OUTDATED}) { minimizedComment { isMinimized } }
}
"""

log = structlog.get_logger()

_Place = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class _Own:
    """A comment of the bot's."""

    id: int
    node_id: str
    marks: tuple[str, ...]


class Comments:
    def __init__(self, client: Client, identity: Identity, newness: Newness) -> None:
        self._client = client
        self._identity = identity
        self._newness = newness
        self._ids: OrderedDict[_Place, str] = OrderedDict()
        self._minimized: set[int] = set()

    def put(self, change: Change, *, marker: str, body: str, known_id: str | None) -> str:
        place = full_name_of(change.repository), change.number, marker
        for comment_id in dict.fromkeys((known_id, self._ids.get(place))):
            if comment_id and self._edit(place, comment_id, body):
                return comment_id
        found = None if self._is_new(place) else self._oldest(place)
        if found is not None and self._edit(place, found, body):
            return found
        return self._create(place, body)

    def _is_new(self, place: _Place) -> bool:
        """A marker that names a comment is of the answer to it, which is not older."""
        full_name, number, marker = place
        about = [comments_of(full_name, number), *ids_in(marker)]
        return any(self._newness.is_new(thing) for thing in about)

    def _edit(self, place: _Place, comment_id: str, body: str) -> bool:
        """False when it is gone."""
        if not (comment_id.isascii() and comment_id.isdigit()):
            return False
        path = f"/repos/{place[0]}/issues/comments/{comment_id}"
        try:
            self._client.ask(place[0], "comment", "PATCH", path, body={"body": body})
        except Refused as error:
            self._ids.pop(place, None)
            if error.status in (404, 410):
                return False
            raise
        self._remember(place, comment_id)
        return True

    def _create(self, place: _Place, body: str) -> str:
        full_name, number, marker = place
        path = f"/repos/{full_name}/issues/{number}/comments"
        try:
            answer = self._client.ask(full_name, "comment", "POST", path, body={"body": body})
            comment_id = integer(answer.data, "id") if isinstance(answer.data, dict) else 0
            if not comment_id:
                raise Uncertain("GitHub gave no id for a comment.")
        except TransientError:
            for thing in (comments_of(full_name, number), *ids_in(marker)):
                self._newness.spoil(thing)
            raise
        self._remember(place, str(comment_id))
        return str(comment_id)

    def _oldest(self, place: _Place) -> str | None:
        """Duplicates, which two of us may have posted at once, are minimised."""
        full_name, number, marker = place
        path = f"/repos/{full_name}/issues/{number}/comments"
        pages = self._client.pages(full_name, "comments", path, {}, self._read_own)
        ours = sorted((own for page in pages for own in page if marker in own.marks), key=lambda own: own.id)
        for duplicate in ours[1:]:
            self._minimize(full_name, duplicate)
        return str(ours[0].id) if ours else None

    def _minimize(self, full_name: str, comment: _Own) -> None:
        if comment.id in self._minimized or not comment.node_id:
            return
        try:
            self._client.graphql(full_name, "minimize", _MINIMIZE, {"comment": comment.node_id})
        except Refused as error:
            log.warning("comment_not_minimized", repository=full_name, comment=comment.id, problem=error.problem)
        self._minimized.add(comment.id)

    def _read_own(self, answer: Any) -> list[_Own]:
        listed = [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []
        return [
            _Own(integer(item, "id"), text(item, "node_id"), tuple(_MARK.findall(text(item, "body"))))
            for item in listed
            if integer(item, "id") and self._identity.wrote(item)
        ]

    def _remember(self, place: _Place, comment_id: str) -> None:
        self._ids[place] = comment_id
        self._ids.move_to_end(place)
        while len(self._ids) > _REMEMBERED_IDS:
            self._ids.popitem(last=False)
