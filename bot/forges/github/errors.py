"""What GitHub refuses, in words that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.domain.errors import TransientError, UserError
from bot.domain.masking import mask
from bot.domain.words import plain
from bot.forges.github.fields import mappings, text

RETRY_AFTER_S = 10.0
# "wait for at least one minute" (GitHub docs, "Rate limits for the REST API", exceeding the rate limit)
LIMITED_RETRY_AFTER_S, LONGEST_RETRY_AFTER_S = 60.0, 3600.0

_TRANSIENT = (408, 409, 423, 425)


class Refused(UserError):
    """GitHub's answer to one call was no. `reason` is what it said."""

    def __init__(self, status: int, reason: str, problem: str, fix: str = "") -> None:
        super().__init__(problem, fix)
        self.status = status
        self.reason = reason


class Limited(TransientError):
    """GitHub asks us to stay away for a while."""


class Uncertain(TransientError):
    """There was no answer, or none from GitHub itself, so the call may have been carried out."""


def from_status(
    status: int, answer: object, headers: Mapping[str, str], *, now: datetime, secrets: tuple[str, ...]
) -> TransientError | Refused:
    reason = _reason(answer, secrets)
    words = f"GitHub answered {status}" + (f" ({reason})" if reason else "")
    if is_limit(status, reason, headers):
        return Limited(f"{words}: it limits how often it may be asked.", retry_after_s=pause_s(headers, now=now))
    if status >= 500:
        return Uncertain(f"{words}.", retry_after_s=_seconds(headers, "retry-after") or RETRY_AFTER_S)
    if status in _TRANSIENT:
        return TransientError(f"{words}.", retry_after_s=RETRY_AFTER_S)
    problem, fix = _WORDS.get(status, ("", ""))
    return Refused(status, reason, f"{problem} ({words})." if problem else f"{words}.", fix)


def is_limit(status: int, reason: str, headers: Mapping[str, str]) -> bool:
    """Primary and secondary limits are told as 403 or 429 (GitHub docs, "Rate limits for the REST API")."""
    if status not in (403, 429):
        return False
    is_used_up = headers.get("x-ratelimit-remaining") == "0"
    return status == 429 or is_used_up or "retry-after" in headers or "rate limit" in reason.lower()


def pause_s(headers: Mapping[str, str], *, now: datetime) -> float:
    """Seconds to stay away after a rate-limit answer.

    Source: GitHub docs, "Rate limits for the REST API", exceeding the rate limit. `retry-after` is in seconds,
    `x-ratelimit-reset` in UTC epoch seconds, and counts only when nothing remains.
    """
    wait_s = _seconds(headers, "retry-after")
    if not wait_s and headers.get("x-ratelimit-remaining") == "0":
        wait_s = _seconds(headers, "x-ratelimit-reset") - now.timestamp()
    return min(max(wait_s, 1.0), LONGEST_RETRY_AFTER_S) if wait_s > 0 else LIMITED_RETRY_AFTER_S


def _seconds(headers: Mapping[str, str], name: str) -> float:
    digits = headers.get(name, "").strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0.0


def _reason(answer: object, secrets: tuple[str, ...]) -> str:
    """GitHub's message, and what it says of single fields."""
    fields: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    details = [text(detail, "message") or text(detail, "field") for detail in mappings(fields, "errors")[:3]]
    said = "; ".join(filter(None, [text(fields, "message"), *details]))
    return plain(mask(said, secrets), limit=300).strip()


_WORDS = {
    401: (
        "GitHub does not accept the bot's credentials: they are wrong, expired or revoked",
        "Check MLOPS_BOT_GITHUB_APP_ID and MLOPS_BOT_GITHUB_PRIVATE_KEY_FILE, or MLOPS_BOT_GITHUB_TOKEN.",
    ),
    403: (
        "GitHub does not allow this to the bot",
        "Does the App have the permissions of deploy/github-app.json, and were they accepted where it is installed?",
    ),
    404: ("It is not there, or the bot may not see it", "Is the App installed on this repository?"),
}
