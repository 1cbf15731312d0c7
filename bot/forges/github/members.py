"""What people may do in a repository."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from bot.domain.clock import Clock
from bot.forges.github.client import Client
from bot.forges.github.errors import Refused
from bot.forges.github.fields import text
from bot.forges.github.names import is_login
from bot.ports.forge import Permission

_BELIEVED_FOR = timedelta(seconds=60)
_REMEMBERED = 10_000

# "maintain" is told as "write", and "triage" as "read" (GitHub docs, "Get repository permissions for a user")
_PERMISSIONS = {"admin": Permission.ADMIN, "write": Permission.WRITE, "read": Permission.READ}


class Members:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[Permission, datetime]] = OrderedDict()

    def permission(self, full_name: str, user: str) -> Permission:
        if not is_login(user):
            return Permission.NONE
        place = full_name, user.casefold()
        known = self._known.get(place)
        if known is None or known[1] <= self._clock():
            known = self._known[place] = self._asked(full_name, user), self._clock() + _BELIEVED_FOR
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known[0]

    def forget(self) -> None:
        self._known.clear()

    def _asked(self, full_name: str, user: str) -> Permission:
        path = f"/repos/{full_name}/collaborators/{user}/permission"
        try:
            answer = self._client.ask(full_name, "permission", "GET", path)
        except Refused as error:
            if error.status == 404:
                return Permission.NONE
            raise
        written = text(answer.data, "permission") if isinstance(answer.data, dict) else ""
        return _PERMISSIONS.get(written, Permission.NONE)
