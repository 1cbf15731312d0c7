"""Reactions: award emoji on a note. Through GraphQL, where one call gives one and takes back the others by their names.

Source: GitLab docs, "GraphQL API resources", `awardEmojiAdd` and `awardEmojiRemove`. Each tells apart what is wrong.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import structlog

from bot.domain.errors import UserError
from bot.domain.feedback import Reaction
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.errors import Refused
from bot.forges.gitlab.fields import mapping, texts

NAMES = {Reaction.SEEN: "eyes", Reaction.DONE: "thumbsup", Reaction.REFUSED: "thumbsdown"}
REMEMBERED = 2000
# carried out in this order, so that there is never none
_REPLACE = """
mutation($note: AwardableID!, $shown: String!, $other: String!, $another: String!) {
  show: awardEmojiAdd(input: {awardableId: $note, name: $shown}) { errors }
  hide: awardEmojiRemove(input: {awardableId: $note, name: $other}) { errors }
  hideToo: awardEmojiRemove(input: {awardableId: $note, name: $another}) { errors }
}
"""
_IS_SHOWN_ALREADY = "already been taken"  # so GitLab says that it was given before
_IS_NOT_THERE = "that you are attempting to access does not exist"

log = structlog.get_logger()


class Awards:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._shown: OrderedDict[int, str] = OrderedDict()

    def show(self, path: str, number: int, note_id: int, reaction: Reaction) -> None:
        """In place of the bot's former one, whichever that was. A note that was deleted meanwhile needs none."""
        name = NAMES[reaction]
        if self._shown.get(note_id) == name:
            return
        other, another = (one for one in NAMES.values() if one != name)
        variables = {"note": f"gid://gitlab/Note/{note_id}", "shown": name, "other": other, "another": another}
        try:
            answer = self._client.graphql("award", _REPLACE, variables)
        except Refused as refused:
            if _IS_NOT_THERE not in refused.reason:
                raise
            log.info("reaction_not_shown", project=path, change=number, note=note_id, reason=refused.reason)
            return
        _check(answer)
        self._remember(note_id, name)

    def _remember(self, note_id: int, name: str) -> None:
        with self._lock:
            self._shown[note_id] = name
            self._shown.move_to_end(note_id)
            if len(self._shown) > REMEMBERED:
                self._shown.popitem(last=False)


def _check(answer: Mapping[str, Any]) -> None:
    """What could not be taken back was not there: GitLab has no other reason when it lets the bot give one."""
    problems = [error for error in texts(mapping(answer, "show"), "errors") if _IS_SHOWN_ALREADY not in error]
    if problems:
        raise UserError(f"GitLab does not let the bot react to a comment: {'; '.join(problems)}.")
