"""Whether GitHub takes the bot's credentials, and grants what is needed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.domain.words import listed
from bot.forges.github.auth import ALL
from bot.forges.github.client import Client
from bot.forges.github.fields import mapping, mappings, text
from bot.forges.github.names import key_of
from bot.forges.github.settings import GitHubSettings
from bot.forges.github.setup import EVENTS

_BELIEVED_FOR = timedelta(seconds=60)  # probes ask every few seconds
_LEVELS = {"": 0, "read": 1, "write": 2, "admin": 3}


class Health:
    def __init__(self, client: Client, settings: GitHubSettings, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._well_until: datetime | None = None

    def check(self) -> None:
        """Raises TransientError, or UserError with what is missing."""
        now = self._clock()
        if self._well_until is not None and now < self._well_until:
            return
        if self._settings.is_app:
            self._check_app()
        else:
            self._check_token()
        self._well_until = now + _BELIEVED_FOR

    def _check_app(self) -> None:
        own = self._client.authority.own()
        app = self._client.unless_changed(own, "health", "/app", _mapping)
        lacking = _lacking(mapping(app, "permissions"))
        if lacking:
            raise UserError(
                f"The GitHub App lacks {listed(lacking)}.",
                "Set the permissions in the App's settings, and accept them where it is installed.",
            )
        events = app.get("events")
        silent = [event for event in EVENTS if not isinstance(events, list) or event not in events]
        if silent:
            raise UserError(
                f"The GitHub App is not told of {listed(silent)}.", "Subscribe to these events in the App's settings."
            )
        for page in self._client.pages(own, "health", "/app/installations", {}, _permissions):
            for account, permissions in page:
                lacking = _lacking(permissions)
                if lacking:
                    raise UserError(
                        f"The GitHub App's installation on {account} does not grant {listed(lacking)} yet.",
                        f"Somebody who administers {account} has to accept the new permissions there.",
                    )

    def _check_token(self) -> None:
        answer = self._client.ask(self._client.authority.own(), "health", "GET", "/user")
        scopes = answer.headers.get("x-oauth-scopes", "")  # fine-grained tokens have none
        given = {scope.strip() for scope in scopes.split(",")} - {""}
        if given and not given & {"repo", "public_repo"}:
            raise UserError(
                "The GitHub token lacks the scope `repo`.", "Make a new one with it, and set MLOPS_BOT_GITHUB_TOKEN."
            )
        for full_name in self._settings.repositories:
            fields = self._client.unless_changed(full_name, "health", f"/repos/{full_name}", _mapping)
            if mapping(fields, "permissions").get("push") is not True:
                raise UserError(
                    f"The GitHub token may not write to {key_of(full_name)}, so it can not set commit statuses there.",
                    "Use a token of somebody with write access, with read access to contents and metadata, and write "
                    "access to commit statuses, issues and pull requests.",
                )


def _lacking(granted: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {level}"
        for name, level in sorted(ALL.items())
        if _LEVELS.get(text(granted, name), 0) < _LEVELS[level]
    ]


def _mapping(answer: Any) -> Mapping[str, Any]:
    return answer if isinstance(answer, dict) else {}


def _permissions(answer: Any) -> list[tuple[str, Mapping[str, Any]]]:
    installations = mappings({"all": answer}, "all")
    return [
        (text(mapping(item, "account"), "login") or "an account", mapping(item, "permissions"))
        for item in installations
        if not item.get("suspended_at")
    ]
