"""Which comments on GitHub are the bot's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.forges.github.client import Client
from bot.forges.github.fields import integer, mapping, text
from bot.forges.github.people import looks_like_ours


class Identity:
    def __init__(self, client: Client, app_id: int) -> None:
        self._client = client
        self._app_id = app_id
        self._login = ""

    def wrote(self, fields: Mapping[str, Any]) -> bool:
        """Whether the bot wrote a comment, as the API shows it."""
        if self._app_id:
            return integer(mapping(fields, "performed_via_github_app"), "id") == self._app_id and (
                mapping(fields, "user").get("type") == "Bot"
            )
        return self.wrote_as(text(mapping(fields, "user"), "login"), text(fields, "body"))

    def wrote_as(self, login: str, body: str) -> bool:
        """The bot of a token writes in a person's name, who may write there too: but without a hidden mark."""
        return not self._app_id and looks_like_ours(body) and login == self.login()

    def login(self) -> str:
        """Whose token it is."""
        if not self._login:
            answer = self._client.ask(self._client.authority.own(), "user", "GET", "/user")
            self._login = text(answer.data, "login") if isinstance(answer.data, dict) else ""
        return self._login
