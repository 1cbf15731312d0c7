"""A webhook's payload out of a file, as the delivery that it would be: for `explain`, which stores nothing of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bot.domain.change import Delivery
from bot.domain.errors import TransientError, UserError
from bot.domain.words import listed, quoted
from bot.ports.forge import BadPayload, Forge

# long before any start, so that no forge takes it for news
RECEIVED_AT = datetime(1970, 1, 1, tzinfo=UTC)
# the key of a payload that tells its event, of those that name none; the more telling ones first
_GITHUB_EVENTS = {
    "issue": "issue_comment",
    "review": "pull_request_review",
    "comment": "pull_request_review_comment",
    "pull_request": "pull_request",
    "check_run": "check_run",
    "check_suite": "check_suite",
    "ref": "push",
    "repositories_added": "installation_repositories",
    "zen": "ping",
    "repository": "repository",
    "installation": "installation",
}
_TO_BE_WATCHED = {
    "github": "Install the App on it, or name it in MLOPS_BOT_GITHUB_REPOSITORIES.",
    "gitlab": "Give the bot's user access to it: `mlops-bot connect gitlab GROUP/PROJECT`",
}


def read_payload(forges: Mapping[str, Forge], body: bytes, event: str) -> Delivery:
    """`event` is as the forge names it; without one it is guessed. Raises UserError when it would be ignored."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UserError("The payload is not JSON.", "Give the body of a webhook as the forge sent it.") from error
    if not isinstance(payload, dict):
        raise UserError("The payload is not a JSON object.", "Give the body of a webhook as the forge sent it.")
    name = "gitlab" if "object_kind" in payload else "github"
    if name not in forges:
        raise UserError(
            f"This looks like a payload of {name}, which is not set up here.",
            "A change of a repository that is watched can be named instead: mlops-bot explain REPO CHANGE",
        )
    _check_is_watched(name, payload, forges[name])
    delivery = _READERS[name](payload, body, event)
    if delivery is None:
        raise UserError("Such a payload is of no interest: it is answered, and nothing comes of it.")
    return delivery


def _check_is_watched(name: str, payload: Mapping[str, Any], forge: Forge) -> None:
    """Where the forge can say it."""
    place, field = ("repository", "full_name") if name == "github" else ("project", "path_with_namespace")
    held = payload.get(place)
    path = held.get(field) if isinstance(held, dict) else None
    if not isinstance(path, str):
        return
    try:
        watched = {repository.key.lower() for repository in forge.repositories()}
    except (TransientError, UserError):
        return
    if f"{name}/{path}".lower() not in watched:
        raise UserError(f"{quoted(path)} is not watched here, so nothing would come of it.", _TO_BE_WATCHED[name])


def _read_github(payload: dict[str, Any], _body: bytes, event: str) -> Delivery | None:
    from bot.forges.github import names, webhook

    named = event or next((name for key, name in _GITHUB_EVENTS.items() if key in payload), "")
    if named not in webhook.KINDS:
        problem = f"{quoted(named)} is no event that the bot reads." if named else "It is not clear which event it is."
        raise UserError(problem, f"Name it: `--event …`, one of {listed(sorted(webhook.KINDS))}.")
    if "repository" in payload:
        payload.pop("installation", None)  # whoever wrote the file does not say which installation is right
    try:
        key = webhook.order_key(named, payload)
    except BadPayload as error:
        raise UserError(f"The payload is not as GitHub documents it: {error}") from error
    body = json.dumps(payload).encode()
    return None if key is None else Delivery("explain", names.FORGE, named, body, key, received_at=RECEIVED_AT)


def _read_gitlab(_payload: dict[str, Any], body: bytes, event: str) -> Delivery | None:
    from bot.forges.gitlab import names, webhook

    hook = webhook.read(body)
    if hook is None:
        return None
    return Delivery("explain", names.FORGE, event, body, hook.order_key, received_at=RECEIVED_AT)


_READERS: Mapping[str, Callable[[dict[str, Any], bytes, str], Delivery | None]] = {
    "github": _read_github,
    "gitlab": _read_gitlab,
}
