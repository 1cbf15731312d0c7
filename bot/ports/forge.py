"""A forge: where repositories live and people talk. GitHub, GitLab, plain git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.domain.change import Change, Comment, Delivery, Event, Repository
from bot.domain.check import Check
from bot.domain.feedback import Reaction


class Permission(StrEnum):
    NONE = "none"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def may_write(self) -> bool:
        return self in (Permission.WRITE, Permission.ADMIN)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a forge can do; use cases degrade by these, never by the forge's name.

    `comment_limit` and `check_text_limit` are in characters.
    """

    check_runs: bool  # checks with text and annotations; else a one-line status
    buttons: bool
    comment_limit: int
    check_text_limit: int
    deployments: bool = False  # it shows deployments and environments of its own
    checks_on_forks: bool = True  # else what waits for `/ok-to-test` is said in the comment
    progress_every_s: float = 0.0  # checks and comments that are not final are sent no more often than this


@dataclass(frozen=True, slots=True)
class GitCredential:
    """For addresses below `origin` (`https://github.com`) alone. Never in an address, an argument or a log."""

    origin: str
    username: str
    password: str = field(repr=False)


class DeploymentState(StrEnum):
    """What a forge shows of a deployment."""

    PENDING = "pending"  # waits for an approval, or for its turn
    IN_PROGRESS = "in_progress"
    LIVE = "live"
    FAILED = "failed"
    INACTIVE = "inactive"  # another version took its place, or it was given up before it was live


@dataclass(frozen=True, slots=True)
class ForgeDeployment:
    """A deployment as a forge shows it.

    `key` is our own id of it: the same key is the same deployment, so that one whose creation went unanswered is found
    again. `environment` is `<environment>/<model>`. `sha` is a commit that the forge has, `ref` the version's tag.
    `description` is one line. `address` is where the model answers, "" while it does not; `page` is the bot's own page.
    """

    key: str
    environment: str
    sha: str
    ref: str
    state: DeploymentState
    description: str
    address: str
    page: str
    is_production: bool


class Forge(Protocol):
    """Every call has a timeout. Raises TransientError when it should be tried again, UserError when it is refused."""

    name: str
    capabilities: Capabilities

    def open_envelope(self, headers: Mapping[str, str], body: bytes) -> Delivery | None:
        """Verify a webhook on its raw bytes and name it; does no I/O. Header names are lower case.

        None: verified, but of no interest. Raises BadSignature (401) or BadPayload (400).
        """

    def events(self, delivery: Delivery) -> Sequence[Event]:
        """What a stored delivery means, read with what the forge knows now."""

    def repositories(self) -> Sequence[Repository]:
        """All that the bot watches there."""

    def heads(self, repository: Repository) -> Mapping[str, str]:
        """Branch to sha, as it is now."""

    def changes(self, repository: Repository) -> Sequence[Change]:
        """The open changes, and those that were closed lately, as they are now."""

    def comments(self, change: Change) -> Sequence[Comment]:
        """Comments by people, oldest first. For catching up on what no webhook told."""

    def permission(self, repository: str, user: str) -> Permission: ...

    def put_comment(self, change: Change, *, marker: str, body: str, known_id: str | None) -> str:
        """Create or update the bot's comment that contains `marker` (a hidden HTML comment, part of `body`); found by
        `known_id`, else by the marker over all pages. Gives its id."""

    def react(self, repository: str, number: int, comment_id: str, reaction: Reaction) -> None:
        """Show this reaction of the bot, in place of its former one."""

    def put_check(self, repository: str, check: Check, *, known_id: str | None) -> str:
        """Create or update a check; gives its id."""

    def put_deployment(self, repository: str, deployment: ForgeDeployment, *, known_id: str | None) -> str:
        """Create a deployment, or say how it stands now; gives its id. Only where `capabilities.deployments`."""

    def authors(self, change: Change) -> frozenset[str]:
        """Who opened the change, and who wrote its commits, as far as the forge knows them as users."""

    def is_member(self, group: str, user: str) -> bool:
        """Whether a user is in a team or group now, for example `acme/ml-leads`. A group that the bot can not see, or
        that does not exist, has no members."""

    def saves_quota_until(self, repository: str) -> datetime | None:
        """While little is left of the forge's quota: until when. What only shows progress waits until then."""

    def repository_of(self, clone_address: str) -> str | None:
        """The key of the repository with this address, watched or not; None when it is not on this forge."""

    def credential(self, repository: str, *, may_push: bool = False) -> GitCredential | None:
        """A short-lived token that may read this repository's code, or also push to it, for its own origin alone; None
        for none."""

    def check_health(self) -> None:
        """Raises TransientError or UserError with the reason."""


class BadSignature(Exception):
    """The webhook was not signed with our secret."""


class BadPayload(Exception):
    """The webhook's body is not what the forge documents; the text may be answered to the sender."""
