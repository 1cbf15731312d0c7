"""What GitLab refuses, in words that say what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from bot.domain.errors import TransientError, UserError
from bot.domain.masking import mask
from bot.domain.words import plain

NEEDED_SCOPE = "api"
RETRY_AFTER_S = 10.0
# GitLab counts requests by the minute
LIMITED_RETRY_AFTER_S, LONGEST_RETRY_AFTER_S = 60.0, 3600.0

_TRANSIENT = (408, 409, 423, 425, 500, 502, 503, 504)
_NEW_TOKEN = (
    f"Make a token with the scope `{NEEDED_SCOPE}` and the role Developer or higher, "
    "and set MLOPS_BOT_GITLAB_TOKEN to it."
)


class Refused(UserError):
    """GitLab's answer to one call was no. `reason` is what it said."""

    def __init__(self, status: int, reason: str, problem: str, fix: str = "") -> None:
        super().__init__(problem, fix)
        self.status = status
        self.reason = reason


def from_status(
    status: int, reason: str, headers: Mapping[str, str], *, now: datetime, token: str
) -> TransientError | Refused:
    said = plain(mask(reason, [token]), limit=300).strip()
    words = f"GitLab answered {status}" + (f" ({said})" if said else "")
    if status == 429 or (status in (403, 503) and "retry-after" in headers):
        return TransientError(f"{words}: it limits how often it may be asked.", retry_after_s=pause_s(headers, now=now))
    if status in _TRANSIENT or status > 504:
        return TransientError(f"{words}.", retry_after_s=_retry_after_s(headers, now) or RETRY_AFTER_S)
    if status == 401:
        return Refused(
            status, said, "GitLab does not accept the bot's token: it is wrong, expired or revoked.", _NEW_TOKEN
        )
    if status == 403:
        missing = "insufficient_scope" in said or "insufficient scope" in said.lower()
        problem = (
            f"The bot's token lacks the scope `{NEEDED_SCOPE}`" if missing else "GitLab does not allow this to the bot"
        )
        return Refused(status, said, f"{problem} (403{': ' + said if said else ''}).", _NEW_TOKEN)
    if status == 404:
        return Refused(status, said, f"{words}: it is not there, or the bot's user may not see it.")
    return Refused(status, said, f"{words}.")


def unanswered(what: str) -> TransientError:
    return TransientError(f"GitLab could not be asked: {what}.", retry_after_s=RETRY_AFTER_S)


def pause_s(headers: Mapping[str, str], *, now: datetime) -> float:
    """Seconds to stay away after a 429: `Retry-After`, else until `RateLimit-Reset`, which is in epoch seconds (GitLab
    docs, "User and IP rate limits", response headers)."""
    reset = _number(headers.get("ratelimit-reset", ""))
    wait = _retry_after_s(headers, now) or (reset - now.timestamp() if reset else 0.0) or LIMITED_RETRY_AFTER_S
    return min(max(wait, 1.0), LONGEST_RETRY_AFTER_S)


def _retry_after_s(headers: Mapping[str, str], now: datetime) -> float:
    """Seconds, or a date (RFC 9110, section 10.2.3); 0 when there is none."""
    value = headers.get("retry-after", "")
    seconds = _number(value)
    if seconds or not value:
        return min(seconds, LONGEST_RETRY_AFTER_S)
    try:
        return min(max((parsedate_to_datetime(value) - now).total_seconds(), 0.0), LONGEST_RETRY_AFTER_S)
    except (ValueError, TypeError):  # TypeError: a date without a zone
        return 0.0


def _number(text: str) -> float:
    digits = text.strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else 0.0
