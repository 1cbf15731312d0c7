"""The webhook by which a project tells the bot what happens in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.errors import UserError
from bot.domain.words import quoted
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.errors import Refused
from bot.forges.gitlab.fields import integer, text

EVENTS = ("push_events", "merge_requests_events", "note_events")
_OTHER_EVENTS = (
    "tag_push_events",
    "issues_events",
    "confidential_issues_events",
    "confidential_note_events",
    "job_events",
    "pipeline_events",
    "wiki_page_events",
    "deployment_events",
    "releases_events",
)


@dataclass(frozen=True, slots=True)
class Connected:
    """`is_new` False: a hook was there, and was brought up to date. `doubles` are other hooks with the same address."""

    is_new: bool
    hook_id: int
    doubles: int


def connect_project(client: Client, path: str, *, url: str, secret: str) -> Connected:
    """Safe to call again: a project gets one hook for an address. Raises UserError with what to do by hand."""
    fields = {
        "url": url,
        "token": secret,
        "enable_ssl_verification": url.startswith("https:"),
        **dict.fromkeys(EVENTS, True),
        **dict.fromkeys(_OTHER_EVENTS, False),
    }
    try:
        ours = [hook for hook in _listed(client, path) if text(hook, "url").rstrip("/") == url]
        if not ours:
            return Connected(True, _make(client, path, fields), doubles=0)
        first, *doubles = sorted(integer(hook, "id") for hook in ours)
        client.call("hook", lambda server: _hooks(server, path).update(first, fields))
    except Refused as refused:
        raise _explained(refused, path, url) from None
    return Connected(False, first, doubles=len(doubles))


def _listed(client: Client, path: str) -> list[Mapping[str, Any]]:
    return client.call("hook", lambda server: [hook.attributes for hook in _hooks(server, path).list(get_all=True)])


def _make(client: Client, path: str, fields: Mapping[str, Any]) -> int:
    return int(client.call("hook", lambda server: _hooks(server, path).create(dict(fields))).id)


def _hooks(server: Any, path: str) -> Any:
    return server.projects.get(path, lazy=True).hooks


def _explained(refused: Refused, path: str, url: str) -> UserError:
    if refused.status == 404:
        return UserError(
            f"There is no project {quoted(path, limit=200)}, or the bot's user is not a member of it.",
            "Check the path, and add the bot's user as a Maintainer.",
        )
    if refused.status == 403 and "scope" not in refused.problem:
        return UserError(
            f"The bot's user may not make webhooks in {quoted(path, limit=200)}: that needs the role Maintainer.",
            f"Give it that role, or make the hook yourself in Settings > Webhooks: address `{url}`, the secret token, "
            "and the triggers push, comments and merge request events. The role Developer is enough for the rest.",
        )
    if refused.status in (400, 422):
        return UserError(
            f"GitLab does not take the address {quoted(url, limit=200)}: {refused.reason or refused.status}.",
            "It must be able to reach the bot there (MLOPS_BOT_PUBLIC_URL). Addresses of its own network it takes only "
            "after an administrator has allowed them in Admin > Settings > Network > Outbound requests.",
        )
    return refused
