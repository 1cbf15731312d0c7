"""Reactions: award emoji on a note."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import structlog

from bot.domain.feedback import Reaction
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.errors import Refused
from bot.forges.gitlab.user import OwnUser

NAMES = {Reaction.SEEN: "eyes", Reaction.DONE: "thumbsup", Reaction.REFUSED: "thumbsdown"}
REMEMBERED = 2000

log = structlog.get_logger()

_Note = tuple[str, int, int]  # the project's path, the merge request's number, the note's id


class Awards:
    """Remembers which it gave, so that a new one costs two calls and no look."""

    def __init__(self, client: Client, user: OwnUser) -> None:
        self._client = client
        self._user = user
        self._lock = threading.Lock()
        self._given: OrderedDict[_Note, dict[str, int]] = OrderedDict()

    def show(self, path: str, number: int, note_id: int, reaction: Reaction) -> None:
        """In place of the bot's former one. A note that was deleted meanwhile needs none."""
        note = (path, number, note_id)
        try:
            self._show(note, NAMES[reaction], is_first=reaction is Reaction.SEEN)
        except Refused as refused:
            if refused.status != 404:
                raise
            log.info("reaction_not_shown", project=path, change=number, note=note_id, reason=refused.reason)

    def _show(self, note: _Note, name: str, *, is_first: bool) -> None:
        given = self._given.get(note)
        if given is None:
            given = {} if is_first else self._listed(note)
        if name not in given:
            given = self._give(note, name, given)
        for other in [other for other in given if other != name and other in NAMES.values()]:
            self._take_back(note, given.pop(other))
        self._remember(note, given)

    def _give(self, note: _Note, name: str, given: dict[str, int]) -> dict[str, int]:
        try:
            award = self._client.call("award", lambda server: _awards(server, note).create({"name": name}))
        except Refused as refused:
            if refused.status == 404 and "already been taken" in refused.reason:  # so GitLab says that it is there
                return self._listed(note)
            raise
        return {**given, name: int(award.id)}

    def _take_back(self, note: _Note, award_id: int) -> None:
        try:
            self._client.call("award", lambda server: _awards(server, note).delete(award_id))
        except Refused as refused:
            if refused.status != 404:
                raise

    def _listed(self, note: _Note) -> dict[str, int]:
        own = self._user.id
        awards = self._client.call("award", lambda server: _awards(server, note).list(get_all=True))
        return {str(award.name): int(award.id) for award in awards if award.user["id"] == own}

    def _remember(self, note: _Note, given: dict[str, int]) -> None:
        with self._lock:
            self._given[note] = given
            self._given.move_to_end(note)
            if len(self._given) > REMEMBERED:
                self._given.popitem(last=False)


def _awards(server: Any, note: _Note) -> Any:
    path, number, note_id = note
    merge_request = server.projects.get(path, lazy=True).mergerequests.get(number, lazy=True)
    return merge_request.notes.get(note_id, lazy=True).awardemojis
