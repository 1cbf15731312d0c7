"""The user that the token acts as."""

from __future__ import annotations

import threading
from typing import Any

from bot.forges.gitlab.client import Client


class OwnUser:
    """Asked for once: a token stays that of its user."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._known: tuple[int, str] | None = None

    @property
    def id(self) -> int:
        return self._get()[0]

    @property
    def username(self) -> str:
        return self._get()[1]

    def _get(self) -> tuple[int, str]:
        with self._lock:
            if self._known is None:
                answer: Any = self._client.call("user", lambda server: server.http_get("/user"))
                self._known = (int(answer["id"]), str(answer["username"]))
            return self._known
