"""Who may do what in a project, and who is in a group."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import structlog

from bot.domain.clock import Clock
from bot.forges.gitlab.auth import permission_of
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.errors import Refused
from bot.forges.gitlab.fields import integer, text
from bot.forges.gitlab.names import is_group_path
from bot.ports.forge import Permission

REMEMBERED_FOR_S = 60.0
REMEMBERED = 5000
MOST_NAMED_ALIKE = 1000

log = structlog.get_logger()


class Members:
    """Asked from GitLab, inherited and invited members included; permissions are remembered for a minute."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._permissions: dict[tuple[str, str], tuple[datetime, Permission]] = {}

    def permission(self, path: str, username: str) -> Permission:
        key, now = (path, username.casefold()), self._clock()
        with self._lock:
            known = self._permissions.get(key)
        if known is not None and now - known[0] < timedelta(seconds=REMEMBERED_FOR_S):
            return known[1]
        permission = self._asked(path, username) if username else Permission.NONE
        with self._lock:
            if len(self._permissions) >= REMEMBERED:
                self._permissions.clear()
            self._permissions[key] = (now, permission)
        return permission

    def is_in_group(self, group: str, username: str) -> bool:
        """Asked each time: approvals are looked at again just before a deployment starts. `group` is `acme/ml-leads`;
        members of the groups above it count. False, with a log line, when the bot may not see it."""
        path = group.removeprefix("@")
        if not is_group_path(path) or not username:
            return False
        try:
            members = self._client.call("member", lambda server: _found_in(server, path, username))
        except Refused as refused:
            if refused.status not in (403, 404):
                raise
            log.warning("group_not_seen", group=path, needed="a private group must have the bot's user as a member")
            return False
        return any(_is_named(member, username) for member in members)

    def _asked(self, path: str, username: str) -> Permission:
        found: Any = self._client.call(
            "member",
            lambda server: server.projects.get(path, lazy=True).members_all.list(query=username, get_all=True),
        )
        levels = [
            integer(member.attributes, "access_level") for member in found if _is_named(member.attributes, username)
        ]
        return permission_of(max(levels, default=0))


def _found_in(server: Any, path: str, username: str) -> list[Mapping[str, Any]]:
    """`query` finds parts of names, too."""
    listed = server.groups.get(path, lazy=True).members_all.list(query=username, iterator=True)
    return [member.attributes for member in islice(listed, MOST_NAMED_ALIKE)]


def _is_named(member: Mapping[str, Any], username: str) -> bool:
    return text(member, "username").casefold() == username.casefold() and _is_active(member)


def _is_active(member: Mapping[str, Any]) -> bool:
    return text(member, "state") in ("active", "")
