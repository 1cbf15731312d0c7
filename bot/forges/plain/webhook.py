"""What the post-receive hook and the comment box send: verified, and read into our own words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.domain.change import Delivery
from bot.forges.plain.auth import check_signature
from bot.ports.forge import BadPayload
from bot.ports.plain_records import Post

FORGE = "plain"
PUSH, COMMENT = "push", "comment"
BRANCHES = "refs/heads/"

_DELIVERY_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NO_SHA = re.compile(r"0+")
_LONGEST_NAME = 1000


@dataclass(frozen=True, slots=True)
class BranchUpdate:
    """`before` is None for a new branch, `after` for a deleted one."""

    branch: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Push:
    """`branches` None asks to look at all of them: the repository is watched from now on."""

    repository: str
    branches: tuple[BranchUpdate, ...] | None
    pusher: str


def open_envelope(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> Delivery | None:
    check_signature(secret, body, headers.get("x-mlops-bot-signature", ""))
    if headers.get("x-mlops-bot-event", PUSH) != PUSH:
        return None
    delivery_id = headers.get("x-mlops-bot-delivery", "")
    if not _DELIVERY_ID.fullmatch(delivery_id):
        raise BadPayload("The header X-MLOps-Bot-Delivery is missing or not an id.")
    push = read_push(body)
    if push.branches == ():  # tags, notes and the like
        return None
    return Delivery(delivery_id, FORGE, PUSH, body, order_key=push.repository, received_at=now)


def read_push(body: bytes) -> Push:
    """Raises BadPayload. References that are not branches are left out."""
    payload = _object(body)
    refs = payload.get("refs")
    if not isinstance(refs, list):
        raise BadPayload("`refs` is not a list.")
    updates = [_update(ref) for ref in refs]
    branches = tuple(update for update in updates if update is not None)
    return Push(_text(payload, "repository"), branches if refs else None, _text(payload, "pusher"))


def comment_delivery(post: Post) -> Delivery:
    body = json.dumps({"post": post.id}).encode()
    return Delivery(f"plain-comment:{post.id}", FORGE, COMMENT, body, post.repository, post.created_at)


def read_comment(body: bytes) -> str:
    """The id of the post."""
    return _text(_object(body), "post")


def _object(body: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadPayload("The body is not JSON.") from error
    if not isinstance(payload, dict):
        raise BadPayload("The body is not a JSON object.")
    return payload


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
        raise BadPayload(f"`{name}` is not a short text.")
    return value


def _update(ref: object) -> BranchUpdate | None:
    if not isinstance(ref, dict):
        raise BadPayload("An entry of `refs` is not an object.")
    before, after = (_sha(ref, name) for name in ("before", "after"))
    name = ref.get("ref")
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise BadPayload("`ref` is not a short text.")
    branch = name.removeprefix(BRANCHES)
    return BranchUpdate(branch, before, after) if branch and branch != name and _is_storable(branch) else None


def _sha(ref: Mapping[str, Any], name: str) -> str | None:
    value = ref.get(name)
    if not isinstance(value, str) or not _SHA.fullmatch(value):
        raise BadPayload(f"`{name}` is not a commit's id.")
    return None if _NO_SHA.fullmatch(value) else value


def _is_storable(text: str) -> bool:
    """Not a lone surrogate, which JSON can spell and no database can keep, and no NUL."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
