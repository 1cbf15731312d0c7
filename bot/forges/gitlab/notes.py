"""Notes of a merge request: the bot's living one, and what people write."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.domain.change import Change, Comment
from bot.forges.gitlab.client import PER_PAGE, Client
from bot.forges.gitlab.errors import Refused
from bot.forges.gitlab.fields import integer, mapping, moment, text
from bot.forges.gitlab.names import FORGE, is_bot, path_of, storable
from bot.forges.gitlab.newness import Newness, merge_request_in, note_in
from bot.forges.gitlab.quick_actions import without_quick_actions
from bot.forges.gitlab.user import OwnUser

MOST_PAGES = 200
REMEMBERED_CHANGES = 300
# all that the bot writes holds a hidden marker; when its token is a person's, this tells the two apart
HIDDEN = "<!--"
# in a marker: the note that the bot's own is an answer to (`domain/feedback.py`)
_ANSWERED = re.compile(rf"\b{FORGE}-([0-9]{{1,19}})\b")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Heard:
    """The comments of a merge request as they were when it had last been updated at `updated_at`."""

    updated_at: float
    newest_id: int = 0
    comments: tuple[Comment, ...] = field(default=())


class Notes:
    """`updated` is told by whoever lists merge requests: a note updates its merge request, so that one that was not
    updated has no new notes, and is not asked for them."""

    def __init__(self, client: Client, user: OwnUser, newness: Newness) -> None:
        self._client = client
        self._user = user
        self._newness = newness
        self._lock = threading.Lock()
        self._updated: dict[tuple[str, int], float] = {}
        self._heard: OrderedDict[tuple[str, int], _Heard] = OrderedDict()

    def updated(self, repository: str, number: int, updated_at: float) -> None:
        with self._lock:
            self._updated[repository, number] = updated_at

    def of_people(self, change: Change) -> Sequence[Comment]:
        """Oldest first."""
        key = (change.repository, change.number)
        with self._lock:
            updated_at = self._updated.pop(key, float("nan"))
            heard = self._heard.get(key, _Heard(float("nan")))
        if heard.updated_at == updated_at:  # never of NaN
            return heard.comments
        newer = self._newer_than(heard.newest_id, change)
        told = [comment for comment in newer.values() if comment is not None]
        comments = (*heard.comments, *reversed(told))
        self._remember(key, _Heard(updated_at, max(newer, default=heard.newest_id), comments))
        return comments

    def put(self, change: Change, *, marker: str, body: str, known_id: str | None) -> str:
        safe = without_quick_actions(body)
        if known_id is not None and known_id.isascii() and known_id.isdigit() and self._edit(change, known_id, safe):
            return known_id
        own = [] if self._is_new(change, marker) else self._own(change, marker)
        if not own:
            created = self._client.call("note", lambda server: _notes(server, change).create({"body": safe}))
            return str(created.id)
        oldest, *doubles = sorted(own, key=lambda note: integer(note, "id"))
        for double in doubles:
            self._delete(change, integer(double, "id"))
        if text(oldest, "body") != safe:
            self._edit(change, str(oldest["id"]), safe)
        return str(oldest["id"])

    def _is_new(self, change: Change, marker: str) -> bool:
        """Whether no note with this marker can be there: an answer is not older than what it answers."""
        path = path_of(change.repository)
        merge_request = merge_request_in(path, change.number)
        answered = [note_in(path, int(note_id)) for note_id in _ANSWERED.findall(marker)]
        return self._newness.take(f"{merge_request} {marker}", about=(merge_request, *answered))

    def _own(self, change: Change, marker: str) -> list[Mapping[str, Any]]:
        return [note for note in self._listed(change, newest_first=False) if self._is_own(note, marker)]

    def _newer_than(self, newest_id: int, change: Change) -> dict[int, Comment | None]:
        """By id, newest first; None for what no person said. What moves to the next page meanwhile is met twice."""
        newer: dict[int, Comment | None] = {}
        for note in self._listed(change, newest_first=True):
            note_id = integer(note, "id")
            if note_id <= newest_id:
                break
            newer[note_id] = self._comment(note, change)
        return newer

    def _edit(self, change: Change, note_id: str, body: str) -> bool:
        """Whether it was there, and the bot's."""
        try:
            self._client.call("note", lambda server: _notes(server, change).update(int(note_id), {"body": body}))
        except Refused as refused:
            if refused.status not in (403, 404):
                raise
            log.info("note_lost", repository=change.repository, change=change.number, note=note_id)
            return False
        return True

    def _delete(self, change: Change, note_id: int) -> None:
        try:
            self._client.call("note", lambda server: _notes(server, change).delete(note_id))
        except Refused as refused:
            if refused.status != 404:
                raise
        log.info("double_note_deleted", repository=change.repository, change=change.number, note=note_id)

    def _listed(self, change: Change, *, newest_first: bool) -> Iterator[Mapping[str, Any]]:
        for page in range(1, MOST_PAGES + 1):
            answer = self._page(change, page, sort="desc" if newest_first else "asc")
            yield from (note.attributes for note in answer)
            if len(answer) < PER_PAGE:
                return
        log.warning("notes_cut", repository=change.repository, change=change.number, pages=MOST_PAGES)

    def _page(self, change: Change, page: int, *, sort: str) -> list[Any]:
        return self._client.call(
            "note",
            lambda server: list(
                _notes(server, change).list(order_by="created_at", sort=sort, page=page, get_all=False)
            ),
        )

    def _is_own(self, note: Mapping[str, Any], marker: str) -> bool:
        return marker in text(note, "body") and integer(mapping(note, "author"), "id") == self._user.id

    def _comment(self, note: Mapping[str, Any], change: Change) -> Comment | None:
        author, body = mapping(note, "author"), storable(text(note, "body"))
        username, created_at = storable(text(author, "username")), moment(note, "created_at")
        if note.get("system") or note.get("internal") or note.get("confidential") or created_at is None:
            return None
        if not username or is_bot(username) or self.is_bots(integer(author, "id"), body):
            return None
        return Comment(str(note["id"]), change.repository, change.number, username, body, created_at)

    def is_bots(self, author_id: int, body: str) -> bool:
        return HIDDEN in body and author_id == self._user.id

    def _remember(self, key: tuple[str, int], heard: _Heard) -> None:
        with self._lock:
            self._heard[key] = heard
            self._heard.move_to_end(key)
            if len(self._heard) > REMEMBERED_CHANGES:
                self._heard.popitem(last=False)


def _notes(server: Any, change: Change) -> Any:
    """Lazily: no call is made to get here."""
    project = server.projects.get(path_of(change.repository), lazy=True)
    return project.mergerequests.get(change.number, lazy=True).notes
