"""The projects that the bot watches."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from bot.domain.change import Repository
from bot.domain.clock import Clock
from bot.forges.gitlab.auth import DEVELOPER
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.fields import text
from bot.forges.gitlab.names import is_branch, is_project_path, key_of, path_of
from bot.forges.gitlab.settings import GitLabSettings

LISTED_EVERY_S = 300.0
# a hook of an unknown project may tell of a new one, and must not make us ask each time
LISTED_AGAIN_AFTER_S = 10.0

log = structlog.get_logger()


class Projects:
    """Their addresses are made of the configured one and the project's path, never taken from an answer."""

    def __init__(self, client: Client, settings: GitLabSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Repository] = {}
        self._listed_at: datetime | None = None
        self._missing: frozenset[str] = frozenset()

    def all(self) -> list[Repository]:
        with self._lock:
            if self._is_older_than(LISTED_EVERY_S):
                self._list()
            return list(self._known.values())

    def find(self, key: str, *, default_branch: str = "") -> Repository | None:
        """The watched repository, with this default branch if one is told. None when it is not watched."""
        path = path_of(key)
        with self._lock:
            found = self._known.get(path)
            is_current = found is not None and default_branch in ("", found.default_branch)
            if path and not is_current and self._is_older_than(LISTED_AGAIN_AFTER_S):
                self._list()
            return self._known.get(path)

    def is_known(self, key: str) -> bool:
        """Without a call, unless none was ever listed."""
        with self._lock:
            if self._listed_at is None:
                self._list()
            return path_of(key) in self._known

    def _is_older_than(self, age_s: float) -> bool:
        return self._listed_at is None or self._clock() - self._listed_at > timedelta(seconds=age_s)

    def _list(self) -> None:
        """The bot needs a Developer's rights to set a status, so that projects with less are not watched."""
        projects = self._client.call(
            "project",
            lambda server: [
                project.attributes
                for project in server.projects.list(
                    iterator=True,
                    membership=True,
                    min_access_level=DEVELOPER,
                    archived=False,
                    simple=True,
                    pagination="keyset",
                    order_by="id",
                    sort="asc",
                )
            ],
        )
        listed = (self._repository(project) for project in projects)
        wanted = {path.casefold() for path in self._settings.projects}
        self._known = {
            repository.name: repository
            for repository in listed
            if repository is not None and (not wanted or repository.name.casefold() in wanted)
        }
        self._listed_at = self._clock()
        self._tell_missing(wanted - {path.casefold() for path in self._known})

    def _repository(self, project: Mapping[str, Any]) -> Repository | None:
        path = text(project, "path_with_namespace")
        if not is_project_path(path):
            return None
        branch = text(project, "default_branch")  # there is none in an empty repository
        return Repository(key_of(path), self._settings.clone_address(path), branch if is_branch(branch) else "main")

    def _tell_missing(self, missing: set[str]) -> None:
        if missing and missing != self._missing:
            log.error("project_not_accessible", forge="gitlab", projects=sorted(missing), needed="role Developer")
        self._missing = frozenset(missing)
