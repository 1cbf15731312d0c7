"""The merge requests of a project, as they are now."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.domain.change import Change, Repository
from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.forges.gitlab.client import PER_PAGE, Client
from bot.forges.gitlab.errors import Refused
from bot.forges.gitlab.fields import exact_time, integer
from bot.forges.gitlab.merge_request import GHOST, MergeRequest, merge_request_of_api
from bot.forges.gitlab.notes import Notes
from bot.ports.git import Git

ENDED_DAYS = 7
# a hook that tells of something older may have been overtaken by one that was handled before it
FRESH_S = 600.0
REMEMBERED = 5000

log = structlog.get_logger()


class MergeRequests:
    def __init__(self, client: Client, notes: Notes, git: Git, clock: Clock) -> None:
        self._client = client
        self._notes = notes
        self._git = git
        self._clock = clock
        self._lock = threading.Lock()
        self._updated: OrderedDict[tuple[str, int], datetime] = OrderedDict()
        self._usernames: dict[int, str] = {}

    def listed(self, repository: Repository) -> list[Change]:
        """All that are open, and the newest page of those that were updated lately."""
        since = self._clock() - timedelta(days=ENDED_DAYS)
        answers = {
            integer(answer, "iid"): answer
            for asked in (
                {"state": "opened", "order_by": "created_at", "sort": "asc", "iterator": True},
                {
                    "state": "all",
                    "order_by": "updated_at",
                    "sort": "desc",
                    "updated_after": since.isoformat(),
                    "page": 1,
                },
            )
            for answer in self._asked(repository, asked)
        }
        changes = []
        for number, answer in sorted(answers.items()):
            merge_request = merge_request_of_api(answer)
            if merge_request is not None and merge_request.head_sha:
                self._notes.updated(repository.key, number, exact_time(answer, "updated_at"))
                changes.append(merge_request.change(repository.key, author=merge_request.author or GHOST))
        return changes

    def as_told(
        self, repository: Repository, told: MergeRequest, usernames: dict[int, str], *, received_at: datetime
    ) -> Change | None:
        """What a hook told, if that is so now; else what GitLab says, which costs a call."""
        with self._lock:
            if len(self._usernames) > REMEMBERED:
                self._usernames.clear()
            self._usernames.update(usernames)
        if self._is_overtaken(repository, told, received_at) or not self._is_head(repository, told):
            return self._asked_one(repository, told.number)
        return told.change(repository.key, author=self._username(told.author_id))

    def _is_overtaken(self, repository: Repository, told: MergeRequest, received_at: datetime) -> bool:
        key = (repository.key, told.number)
        with self._lock:
            newest = self._updated.get(key)
            self._updated[key] = max(newest or told.updated_at, told.updated_at)
            self._updated.move_to_end(key)
            if len(self._updated) > REMEMBERED:
                self._updated.popitem(last=False)
        is_old = (received_at - told.updated_at).total_seconds() > FRESH_S
        return is_old or (newest is not None and told.updated_at <= newest)  # whole seconds: as old may be older

    def _is_head(self, repository: Repository, told: MergeRequest) -> bool:
        """Asked through git, which costs no quota: GitLab keeps a reference for the head of each merge request."""
        try:
            now = self._git.resolve(repository.clone_address, f"refs/merge-requests/{told.number}/head")
        except UserError:
            return False
        return now == told.head_sha

    def _asked_one(self, repository: Repository, number: int) -> Change | None:
        try:
            answer = self._client.call(
                "merge_request",
                lambda server: server.projects.get(repository.name, lazy=True).mergerequests.get(number).attributes,
            )
        except Refused as refused:
            if refused.status != 404:
                raise
            log.info("merge_request_gone", repository=repository.key, change=number)
            return None
        now = merge_request_of_api(answer)
        if now is None or not now.head_sha:
            return None
        return now.change(repository.key, author=now.author or GHOST)

    def _username(self, user_id: int) -> str:
        """Hooks name the author by id alone."""
        known = self._usernames.get(user_id)
        if known is not None:
            return known
        try:
            user = self._client.call("user", lambda server: server.users.get(user_id).attributes)
        except Refused as refused:
            if refused.status != 404:
                raise
            return GHOST
        self._usernames[user_id] = str(user["username"])
        return self._usernames[user_id]

    def _asked(self, repository: Repository, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        return iter(
            self._client.call(
                "merge_request",
                lambda server: [
                    found.attributes
                    for found in server.projects.get(repository.name, lazy=True).mergerequests.list(
                        **{"per_page": PER_PAGE, "get_all": False, **asked}
                    )
                ],
            )
        )
