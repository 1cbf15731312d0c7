"""What should be shown on a forge, and what is shown there now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.check import Annotation


class Reaction(StrEnum):
    SEEN = "eyes"
    DONE = "+1"
    REFUSED = "-1"


@dataclass(frozen=True, slots=True)
class Notice:
    """What is said of a head besides its runs: an invalid `mlops.yaml`, a skipped push, no model touched.

    `conclusion` is failure or neutral. `body` is text and code between backticks; it is escaped when it is
    rendered.
    """

    sha: str
    conclusion: str
    title: str
    body: str
    annotations: tuple[Annotation, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What feedback is about: a change (`number` set), or a commit on a branch."""

    repository: str
    number: int | None
    branch: str
    sha: str

    @property
    def id(self) -> str:
        """The feedback row's id: one per change, one per pushed branch."""
        place = f"#{self.number}" if self.number is not None else f"@{self.branch}"
        return f"subject:{self.repository}{place}"


@dataclass(frozen=True, slots=True)
class Shown:
    """What the forge is known to show: digests, so that equal words are not sent twice.

    `checks` maps `<sha>/<check name>` to (the forge's id, digest of what was sent). `sent_at` is when anything was.
    """

    comment_id: str | None = None
    comment_digest: str = ""
    checks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubjectFeedback:
    """The living comment and the checks of one subject."""

    subject: Subject
    notice: Notice | None = None
    shown: Shown = Shown()


def reply_id(repository: str, comment_id: str) -> str:
    """The id of the answer to a comment; forges number their comments each for itself."""
    return f"reply:{repository.partition('/')[0]}-{comment_id}"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to one comment: a reaction, and words if there are any. Posted once; found again by its marker."""

    id: str  # `reply_id`
    repository: str
    number: int
    comment_id: str
    reaction: Reaction
    body: str
    shown_reaction: Reaction | None = None
    posted_id: str | None = None


@dataclass(frozen=True, slots=True)
class Waiver:
    """A gate that somebody allowed to be missed, for one change."""

    repository: str
    number: int
    model: str
    gate: str
    reason: str
    granted_by: str
    granted_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """Who did what, when, to what: appended, never changed. `seq` is its place in the ledger, 0 before it has one."""

    at: datetime
    actor: str
    action: str
    repository: str
    subject: str
    details: Mapping[str, str] = field(default_factory=dict)
    seq: int = field(default=0, compare=False)
