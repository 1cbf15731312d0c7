"""What GitHub's webhooks send: verified, named, and read into our own words by `hooks.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.change import Delivery
from bot.forges.github.auth import check_signature
from bot.forges.github.fields import integer, json_object, mapping, mappings, text
from bot.forges.github.names import FORGE, is_branch, is_full_name, key_of
from bot.ports.forge import BadPayload

BRANCHES = "refs/heads/"
_DELIVERY_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")


@dataclass(frozen=True, slots=True)
class Kind:
    """An event that we read. `place` gives what of the repository it is about (`#12`, `@main`, "" for all of it); None
    when it is of no interest. No `actions` means that it has none."""

    actions: tuple[str, ...]
    place: Callable[[Mapping[str, Any]], str | None]
    is_of_repository: bool = True


def open_envelope(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: datetime) -> Delivery | None:
    check_signature(secrets, body, headers.get("x-hub-signature-256", ""))
    event, delivery_id = headers.get("x-github-event", ""), headers.get("x-github-delivery", "")
    if not event:
        raise BadPayload("The header X-GitHub-Event is missing.")
    if event not in KINDS:
        return None
    if not _DELIVERY_ID.fullmatch(delivery_id):
        raise BadPayload("The header X-GitHub-Delivery is missing or not an id.")
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise BadPayload("The body is a form. Set the webhook's content type to application/json.")
    payload = json_object(body)
    if payload is None:
        raise BadPayload("The body is not a JSON object.")
    key = order_key(event, payload)
    return None if key is None else Delivery(delivery_id, FORGE, event, body, key, received_at=now)


def order_key(event: str, payload: Mapping[str, Any]) -> str | None:
    """What is done in one place is done in order. None when the event is of no interest. Raises BadPayload."""
    kind = KINDS[event]
    if kind.actions and text(payload, "action") not in kind.actions:
        if not isinstance(payload.get("action"), str):
            raise BadPayload("`action` is not a text.")
        return None
    if not kind.is_of_repository:
        return f"{FORGE}:installation:{integer(mapping(payload, 'installation'), 'id')}"
    full_name = text(mapping(payload, "repository"), "full_name")
    if not is_full_name(full_name):
        raise BadPayload("`repository.full_name` is not the name of a repository.")
    place = kind.place(payload)
    return None if place is None else f"{key_of(full_name)}{place}"


def _branch(payload: Mapping[str, Any]) -> str | None:
    ref = text(payload, "ref")
    branch = ref.removeprefix(BRANCHES)
    return f"@{branch}" if branch != ref and is_branch(branch) else None


def _pull(payload: Mapping[str, Any]) -> str | None:
    return f"#{integer(mapping(payload, 'pull_request'), 'number')}"


def _edited_pull(payload: Mapping[str, Any]) -> str | None:
    changes = mapping(payload, "changes")
    is_nothing_new = text(payload, "action") == "edited" and "base" not in changes and "title" not in changes
    return None if is_nothing_new else _pull(payload)


def _issue(payload: Mapping[str, Any]) -> str | None:
    """Comments on issues that are no pull requests are of no interest."""
    issue = mapping(payload, "issue")
    return f"#{integer(issue, 'number')}" if isinstance(issue.get("pull_request"), dict) else None


def _check(payload: Mapping[str, Any]) -> str | None:
    check = mapping(payload, "check_run") or mapping(payload, "check_suite")
    pulls = mappings(check, "pull_requests")
    if pulls:
        return f"#{integer(pulls[0], 'number')}"
    branch = text(mapping(check, "check_suite") or check, "head_branch")
    return f"@{branch}" if is_branch(branch) else ""


def _whole(_payload: Mapping[str, Any]) -> str:
    return ""


KINDS: Mapping[str, Kind] = {
    "push": Kind((), _branch),
    "pull_request": Kind(("opened", "synchronize", "reopened", "closed", "edited"), _edited_pull),
    "issue_comment": Kind(("created",), _issue),
    "pull_request_review": Kind(("submitted",), _pull),
    "pull_request_review_comment": Kind(("created",), _pull),
    "check_run": Kind(("rerequested", "requested_action"), _check),
    "check_suite": Kind(("rerequested",), _check),
    "repository": Kind(
        ("renamed", "transferred", "deleted", "archived", "unarchived", "privatized", "publicized", "edited"), _whole
    ),
    "installation": Kind(
        ("created", "deleted", "suspend", "unsuspend", "new_permissions_accepted"), _whole, is_of_repository=False
    ),
    "installation_repositories": Kind(("added", "removed"), _whole, is_of_repository=False),
}
