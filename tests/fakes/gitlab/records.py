"""What the fake remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

GUEST, REPORTER, DEVELOPER, MAINTAINER = 10, 20, 30, 40


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class User:
    id: int
    username: str
    name: str
    state: str = "active"


@dataclass
class Token:
    value: str
    user: User
    scopes: tuple[str, ...] = ("api",)
    is_active: bool = True


@dataclass
class Award:
    id: int
    name: str
    user: User


@dataclass
class Note:
    id: int
    body: str
    author: User | None
    created_at: datetime
    updated_at: datetime
    is_system: bool = False
    is_internal: bool = False
    awards: list[Award] = field(default_factory=list)
    awarded: list[str] = field(default_factory=list)  # also what was taken back since


@dataclass
class MergeRequest:
    id: int
    iid: int
    title: str
    author: User | None
    source: Project | None
    target: Project
    source_branch: str
    target_branch: str
    sha: str
    created_at: datetime
    updated_at: datetime
    state: str = "opened"
    notes: list[Note] = field(default_factory=list)


@dataclass
class Status:
    id: int
    sha: str
    ref: str
    name: str
    state: str
    description: str | None
    target_url: str | None


@dataclass
class Environment:
    id: int
    name: str
    external_url: str | None = None
    tier: str = "other"


@dataclass
class Deployment:
    id: int
    environment: Environment
    sha: str
    ref: str
    tag: bool
    user: User
    status: str = "created"
    deployable: dict[str, object] | None = None  # the job of a pipeline


@dataclass
class Hook:
    id: int
    fields: dict[str, object]

    @property
    def url(self) -> str:
        return str(self.fields["url"])


@dataclass
class Project:
    id: int
    path: str
    bare: Path
    members: dict[int, int] = field(default_factory=dict)  # user id: access level
    default_branch: str = "main"
    is_archived: bool = False
    is_public: bool = False
    heads: dict[str, str] = field(default_factory=dict)
    merge_requests: list[MergeRequest] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)


@dataclass
class SentHook:
    """A webhook as it was sent; `answer` is the status it got, 0 for none yet."""

    url: str
    headers: dict[str, str]
    body: bytes
    answer: int = 0
