"""Which repositories the bot sees."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.domain.change import Repository
from bot.domain.clock import Clock
from bot.forges.github.auth import Token
from bot.forges.github.client import Client
from bot.forges.github.errors import Refused
from bot.forges.github.fields import integer, mappings, text
from bot.forges.github.names import is_branch, is_full_name, key_of
from bot.forges.github.settings import GitHubSettings

# webhooks tell of changes at once; this is for those that were missed
_LIST_EVERY = timedelta(minutes=5)

log = structlog.get_logger()


class Repositories:
    def __init__(self, client: Client, settings: GitHubSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._listed: list[Repository] = []
        self._list_at: datetime | None = None

    def all(self) -> Sequence[Repository]:
        with self._lock:
            now = self._clock()
            if self._list_at is None or self._list_at <= now:
                found = self._of_app() if self._settings.is_app else self._of_token()
                self._listed = sorted(found, key=lambda repository: repository.key)
                self._list_at = now + _LIST_EVERY
            return self._listed

    def list_anew(self) -> None:
        self._list_at = None

    def _of_app(self) -> Iterator[Repository]:
        app = self._client.app
        assert app is not None
        pages = self._client.pages(app.own(), "installations", "/app/installations", {}, _read_installations)
        for installation in [id_ for page in pages for id_ in page]:
            try:
                found = self._of_installation(app.of_installation(installation))
            except Refused as error:  # one that was suspended a moment ago must not hide the others
                log.warning("installation_not_seen", installation=installation, problem=error.problem)
                continue
            for repository in found:
                app.remember(repository.name, installation)
                yield repository

    def _of_installation(self, token: Token) -> list[Repository]:
        pages = self._client.pages(token, "repositories", "/installation/repositories", {}, self._read_installed)
        return [repository for page in pages for repository in page]

    def _of_token(self) -> Iterator[Repository]:
        for full_name in self._settings.repositories:
            try:
                found = self._client.unless_changed(full_name, "repositories", f"/repos/{full_name}", self._read_one)
            except Refused as error:
                log.warning("repository_not_seen", repository=key_of(full_name), problem=error.problem)
                continue
            yield from found

    def _read_installed(self, answer: Any) -> list[Repository]:
        listed = mappings(answer, "repositories") if isinstance(answer, dict) else []
        return [repository for item in listed for repository in self._read_one(item)]

    def _read_one(self, fields: Any) -> list[Repository]:
        """None of what is archived: nothing can be said there."""
        if not isinstance(fields, dict) or fields.get("archived") is True or fields.get("disabled") is True:
            return []
        full_name, default_branch = text(fields, "full_name"), text(fields, "default_branch")
        if not is_full_name(full_name) or not is_branch(default_branch):
            return []
        return [Repository(key_of(full_name), self._settings.clone_address(full_name), default_branch)]


def _read_installations(answer: Any) -> list[int]:
    listed = [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []
    return [integer(item, "id") for item in listed if integer(item, "id") and not item.get("suspended_at")]
