"""What the bot's tags and commits say: a line for people, then facts for programs, as trailers."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from bot.domain.version import VersionLock
from bot.ports.git import Signature, Tag

BOT_NAME = "mlops-bot"
BOT_EMAIL = "mlops-bot@localhost"
REQUESTED_BY = "Requested-by"
DEPLOYMENT = "Deployment"
RUN = "Run"

_TRAILER = re.compile(r"(Requested-by|Deployment|Run): (.+)")
_UNFIT = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LONGEST_NAME = 200  # characters


def bot_signature(at: datetime) -> Signature:
    """git keeps seconds."""
    return Signature(BOT_NAME, BOT_EMAIL, at.astimezone(UTC).replace(microsecond=0))


def person(name: str) -> str:
    """A person's name on one line."""
    return _UNFIT.sub(" ", name).strip()[:_LONGEST_NAME].strip() or "unknown"


def version_message(lock: VersionLock, by: str) -> str:
    return _message(f"Version {lock.number} of {lock.model}", {REQUESTED_BY: by, RUN: lock.run_id})


def assignment_message(model: str, environment: str, by: str, deployment_id: str) -> str:
    return _message(f"Assign {model} to {environment}", {REQUESTED_BY: by, DEPLOYMENT: deployment_id})


def facts(tag: Tag) -> dict[str, str]:
    """Of the last paragraph; none of a tag that somebody made by hand."""
    paragraph = tag.message.rstrip().rpartition("\n\n")[2]
    found = (_TRAILER.fullmatch(line) for line in paragraph.split("\n"))
    return {match[1]: match[2] for match in found if match}


def asked_by(tag: Tag) -> str:
    """Who asked for it: of a tag made by hand, who made it."""
    return facts(tag).get(REQUESTED_BY, "") or person(tag.by.name)


def _message(subject: str, trailers: dict[str, str]) -> str:
    lines = [f"{name}: {person(value)}" for name, value in trailers.items() if value]
    return "\n".join([subject, "", *lines]) + "\n"
