"""What happens in a repository, in our own words: changes, comments, and the events that tell of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Repository:
    """A watched repository.

    `key` is `<forge>/<full name>`, for example `plain/models` or `github/acme/churn`: unique, and never changed.
    `origin` is where a working tree was cloned from, "" for every other repository: what is relative to a repository's
    address is relative to that.
    """

    key: str
    clone_address: str
    default_branch: str
    origin: str = ""

    @property
    def forge(self) -> str:
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        return self.key.partition("/")[2]


class ChangeState(StrEnum):
    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Change:
    """A proposed change: a pull request on GitHub, a merge request on GitLab, a pushed branch on plain git."""

    repository: str
    number: int
    title: str
    author: str
    source_branch: str
    target_branch: str
    head_sha: str
    from_fork: bool
    state: ChangeState
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment by a person. `id` is the forge's own."""

    id: str
    repository: str
    number: int
    author: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PushReceived:
    """A branch moved. `before_sha` is None for a new branch, `after_sha` None for a deleted one."""

    repository: Repository
    branch: str
    before_sha: str | None
    after_sha: str | None
    author: str


@dataclass(frozen=True, slots=True)
class ChangeSeen:
    """A change as it stands now: opened, pushed to, edited, merged or closed. Seeing it twice does no harm."""

    repository: Repository
    change: Change


@dataclass(frozen=True, slots=True)
class CommentCreated:
    repository: Repository
    comment: Comment


@dataclass(frozen=True, slots=True)
class CheckRerunRequested:
    """Somebody pressed "re-run" on a check. `name` is the check's, for example `mlops/churn`."""

    repository: Repository
    sha: str
    name: str
    requested_by: str
    trigger: str


@dataclass(frozen=True, slots=True)
class CheckActionRequested:
    """Somebody pressed one of our buttons on a check. `action` is a `CheckAction.id`."""

    repository: Repository
    sha: str
    name: str
    action: str
    requested_by: str
    trigger: str


@dataclass(frozen=True, slots=True)
class RepositoryGone:
    """The bot may no longer see a repository: deleted, renamed away, or the installation was removed."""

    repository: str
    reason: str


Event = PushReceived | ChangeSeen | CommentCreated | CheckRerunRequested | CheckActionRequested | RepositoryGone


@dataclass(frozen=True, slots=True)
class Delivery:
    """A verified webhook, stored before it is answered.

    Deliveries with the same `order_key` are handled one after the other, in the order in which they were stored.
    """

    id: str
    forge: str
    event: str
    body: bytes
    order_key: str
    received_at: datetime
