"""Who may do what in a project, and who is in a group."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.domain.words import quoted
from bot.forges.gitlab.auth import permission_of
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.fields import integer, text
from bot.forges.gitlab.names import is_group_path
from bot.ports.forge import Permission

REMEMBERED_FOR_S = 60.0
REMEMBERED = 5000


class Members:
    """Asked from GitLab, inherited and invited members included; remembered for a minute."""

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

    def of_group(self, group: str) -> frozenset[str]:
        """User names. Raises UserError when there is no such group."""
        path = group.removeprefix("@")
        if not is_group_path(path):
            raise UserError(f"{quoted(group)} is not a GitLab group.", "Write it as `@group` or `@group/subgroup`.")
        members = self._client.call(
            "member", lambda server: server.groups.get(path, lazy=True).members_all.list(get_all=True)
        )
        return frozenset(text(member.attributes, "username") for member in members if _is_active(member.attributes))

    def _asked(self, path: str, username: str) -> Permission:
        found: Any = self._client.call(
            "member",
            lambda server: server.projects.get(path, lazy=True).members_all.list(query=username, get_all=True),
        )
        levels = [
            integer(member.attributes, "access_level")
            for member in found
            if text(member.attributes, "username").casefold() == username.casefold() and _is_active(member.attributes)
        ]
        return permission_of(max(levels, default=0))


def _is_active(member: Mapping[str, Any]) -> bool:
    return text(member, "state") in ("active", "")
