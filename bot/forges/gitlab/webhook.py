"""What GitLab's hooks send: verified, and read into our own words.

A verified hook is never refused, because GitLab disables for good a hook that was answered with 4xx (GitLab docs,
"Webhooks", "Auto-disabled webhooks"): what can not be understood is logged and ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import structlog

from bot.domain.change import Delivery
from bot.forges.gitlab.auth import check_token
from bot.forges.gitlab.fields import integer, json_object, mapping, moment, text
from bot.forges.gitlab.merge_request import MergeRequest, merge_request_of_hook
from bot.forges.gitlab.names import FORGE, is_bot, is_branch, is_no_sha, is_project_path, is_sha, key_of, storable

BRANCHES = "refs/heads/"
PUSH, MERGE_REQUEST, NOTE = "push", "merge_request", "note"
# approvals are not among them: they say nothing new about a change
_ACTIONS = ("open", "reopen", "update", "close", "merge")
_DELIVERY_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Push:
    """`before` is None for a new branch, `after` for a deleted one."""

    path: str
    default_branch: str
    branch: str
    before: str | None
    after: str | None
    author: str

    @property
    def order_key(self) -> str:
        return f"{key_of(self.path)}@{self.branch}"


@dataclass(frozen=True, slots=True)
class MergeRequestHook:
    """`usernames` are those of the users whom the payload names, by their id. `opens` is True when it tells of the
    opening, and not of what was done later."""

    path: str
    merge_request: MergeRequest
    usernames: Mapping[int, str]
    opens: bool = False

    @property
    def order_key(self) -> str:
        return f"{key_of(self.path)}!{self.merge_request.number}"


@dataclass(frozen=True, slots=True)
class Note:
    """A comment by a person, as far as its author's name tells."""

    path: str
    number: int
    id: int
    author_id: int
    author: str
    body: str
    created_at: datetime

    @property
    def order_key(self) -> str:
        return f"{key_of(self.path)}!{self.number}"


Hook = Push | MergeRequestHook | Note


def open_envelope(headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: datetime) -> Delivery | None:
    check_token(secrets, headers.get("x-gitlab-token", ""))
    hook = read(body)
    if hook is None:
        log.info("webhook_ignored", forge=FORGE, gitlab_event=headers.get("x-gitlab-event", "")[:60])
        return None
    return Delivery(_delivery_id(headers, body), FORGE, _EVENTS[type(hook)], body, hook.order_key, received_at=now)


def path_of_order_key(order_key: str) -> str:
    """The repository's key that it begins with; neither `!` nor `@` can be part of one."""
    return re.split("[!@]", order_key, maxsplit=1)[0]


def read(body: bytes) -> Hook | None:
    """None for what is of no interest, or not what is documented."""
    payload = json_object(body)
    reader = _READERS.get(text(payload, "object_kind"))
    path = text(mapping(payload, "project"), "path_with_namespace")
    return reader(payload, path) if reader is not None and is_project_path(path) else None


def _read_push(payload: Mapping[str, Any], path: str) -> Push | None:
    branch = text(payload, "ref").removeprefix(BRANCHES)
    before, after = text(payload, "before"), text(payload, "after")
    if branch == text(payload, "ref") or not is_branch(branch) or before == after:
        return None
    if not all(is_sha(end) or is_no_sha(end) for end in (before, after)):
        return None
    default_branch = text(mapping(payload, "project"), "default_branch")
    return Push(
        path,
        default_branch if is_branch(default_branch) else "",
        branch,
        before if is_sha(before) else None,
        after if is_sha(after) else None,
        storable(text(payload, "user_username")),
    )


def _read_merge_request(payload: Mapping[str, Any], path: str) -> MergeRequestHook | None:
    attributes = mapping(payload, "object_attributes")
    merge_request = merge_request_of_hook(attributes)
    action = text(attributes, "action")
    if merge_request is None or action not in _ACTIONS:
        return None
    people = [mapping(payload, "user"), *_listed(payload, "assignees"), *_listed(payload, "reviewers")]
    usernames = {integer(person, "id"): storable(text(person, "username")) for person in people}
    known = {id_: name for id_, name in usernames.items() if id_ > 0 and name}
    return MergeRequestHook(path, merge_request, known, opens=action == "open")


def _read_note(payload: Mapping[str, Any], path: str) -> Note | None:
    attributes, author = mapping(payload, "object_attributes"), mapping(payload, "user")
    number, note_id = integer(mapping(payload, "merge_request"), "iid"), integer(attributes, "id")
    created_at, username = moment(attributes, "created_at"), storable(text(author, "username"))
    if min(number, note_id) <= 0 or created_at is None or not username or is_bot(username):
        return None
    if not _is_new_and_public(payload, attributes):
        return None
    body = storable(text(attributes, "note"))
    return Note(path, number, note_id, integer(attributes, "author_id"), username, body, created_at)


def _is_new_and_public(payload: Mapping[str, Any], attributes: Mapping[str, Any]) -> bool:
    """Before GitLab 16.11 there was no `action`, and hooks were sent of new notes alone."""
    return (
        text(attributes, "noteable_type") == "MergeRequest"
        and attributes.get("system") in (False, None)
        and attributes.get("internal") in (False, None)
        and text(payload, "event_type") in ("note", "")
        and text(attributes, "action") in ("create", "")
    )


def _listed(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = payload.get(name)
    return [person for person in value if isinstance(person, dict)] if isinstance(value, list) else []


def _delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """The same for a repetition. Events that were set off by other hooks may share a UUID (GitLab docs, "Webhooks",
    "Delivery headers"), so that the body has a say there."""
    key, event = headers.get("idempotency-key", ""), headers.get("x-gitlab-event-uuid", "")
    if _DELIVERY_ID.fullmatch(key):
        return f"{FORGE}:{key}"
    digest = sha256(body).hexdigest()
    return f"{FORGE}:{event}:{digest[:16]}" if _DELIVERY_ID.fullmatch(event) else f"{FORGE}:{digest}"


_READERS: Mapping[str, Callable[[Mapping[str, Any], str], Hook | None]] = {
    PUSH: _read_push,
    MERGE_REQUEST: _read_merge_request,
    NOTE: _read_note,
}
_EVENTS: Mapping[type[Hook], str] = {Push: PUSH, MergeRequestHook: MERGE_REQUEST, Note: NOTE}
