"""Whether GitHub takes the bot's credentials, and grants what is needed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.domain.words import listed
from bot.forges.github.auth import PUSH_CODE, REPORT, SEE_TEAMS, SHOW_DEPLOYMENTS, Permissions
from bot.forges.github.client import Client
from bot.forges.github.fields import mapping, mappings, text
from bot.forges.github.names import key_of
from bot.forges.github.settings import GitHubSettings
from bot.forges.github.setup import EVENTS

# what is missing without them; reports need none of these
_EXTRAS: Mapping[str, Permissions] = {
    "deployments are not shown on GitHub": SHOW_DEPLOYMENTS,
    "versions can not be tagged, so nothing can be deployed": PUSH_CODE,
    "teams can not approve, people named one by one can": SEE_TEAMS,
}
_SEES_TEAMS = {"read:org", "write:org", "admin:org"}  # a classic token's scopes
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
        lacking = _lacking(mapping(app, "permissions"), REPORT)
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
            for account, _, permissions in page:
                lacking = _lacking(permissions, REPORT)
                if lacking:
                    raise UserError(
                        f"The GitHub App's installation on {account} does not grant {listed(lacking)} yet.",
                        f"Somebody who administers {account} has to accept the new permissions there.",
                    )

    def check_extras(self) -> str:
        """Whether more than reports works: deployments, versions, teams. Gives words on that; raises TransientError, or
        UserError with what is missing and what does not work without it."""
        if not self._settings.is_app:
            return self._token_extras()
        own = self._client.authority.own()
        app = mapping(self._client.unless_changed(own, "health", "/app", _mapping), "permissions")
        if lost := _lost(app, is_organization=True):
            raise UserError(
                f"The GitHub App lacks {lost}. Reports need none of it.",
                "Set the permissions in the App's settings, and accept them where it is installed.",
            )
        for page in self._client.pages(own, "health", "/app/installations", {}, _permissions):
            for account, is_organization, permissions in page:
                if lost := _lost(permissions, is_organization=is_organization):
                    raise UserError(
                        f"The GitHub App's installation on {account} does not grant {lost}. Reports need none of it.",
                        f"Somebody who administers {account} has to accept the new permissions there.",
                    )
        return "deployments, versions and teams"

    def _token_extras(self) -> str:
        given = self._scopes()
        if not given:
            return "GitHub does not tell what a fine-grained token may do"
        if not given & _SEES_TEAMS:
            raise UserError(
                "The GitHub token lacks the scope `read:org`: teams can not approve, people named one by one can.",
                "Add the scope to the token.",
            )
        return "deployments, versions and teams"

    def _scopes(self) -> set[str]:
        """A classic token's; empty for a fine-grained one."""
        answer = self._client.ask(self._client.authority.own(), "health", "GET", "/user")
        return {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")} - {""}

    def _check_token(self) -> None:
        given = self._scopes()
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


def _lacking(granted: Mapping[str, Any], needed: Permissions) -> list[str]:
    return [
        f"{name}: {level}"
        for name, level in sorted(needed.items())
        if _LEVELS.get(text(granted, name), 0) < _LEVELS[level]
    ]


def _lost(granted: Mapping[str, Any], *, is_organization: bool) -> str:
    """What is missing, and what does not work without it; a person's account has no teams."""
    lacking = {words: _lacking(granted, needed) for words, needed in _EXTRAS.items()}
    if not is_organization:
        lacking = {words: names for words, names in lacking.items() if _EXTRAS[words] is not SEE_TEAMS}
    return "; ".join(f"{listed(names)} ({words})" for words, names in lacking.items() if names)


def _mapping(answer: Any) -> Mapping[str, Any]:
    return answer if isinstance(answer, dict) else {}


def _permissions(answer: Any) -> list[tuple[str, bool, Mapping[str, Any]]]:
    """Account, whether it is an organization, and what it grants."""
    installations = [item for item in mappings({"all": answer}, "all") if not item.get("suspended_at")]
    accounts = [mapping(item, "account") for item in installations]
    return [
        (text(account, "login") or "an account", account.get("type") == "Organization", mapping(item, "permissions"))
        for account, item in zip(accounts, installations, strict=True)
    ]


def check_extras(settings: GitHubSettings, clock: Clock) -> str:
    """For the doctor, see `Health.check_extras`."""
    return Health(Client(settings, clock), settings, clock).check_extras()
