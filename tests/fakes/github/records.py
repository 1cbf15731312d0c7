"""What is on the fake GitHub."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def now() -> datetime:
    """GitHub tells whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(eq=False)
class User:
    id: int
    login: str
    type: str = "User"
    app_id: int = 0

    @property
    def node(self) -> str:
        return f"U_{self.id}"


@dataclass(eq=False)
class Note:
    """A comment of any kind. `kind` is `issue`, `review` or `diff`."""

    id: int
    kind: str
    user: User | None
    body: str
    created_at: datetime
    updated_at: datetime
    review: int = 0
    reactions: list[tuple[str, str]] = field(default_factory=list)  # login, content
    is_minimized: bool = False
    reacted: list[str] = field(default_factory=list)  # also what was taken back since

    @property
    def node(self) -> str:
        return f"{self.kind}_{self.id}"


@dataclass(eq=False)
class Pull:
    number: int
    title: str
    user: User | None
    head_repo: Repo | None
    head_ref: str
    head_sha: str
    base_ref: str
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    merged_at: datetime | None = None
    notes: list[Note] = field(default_factory=list)


@dataclass(eq=False)
class CheckRun:
    id: int
    name: str
    head_sha: str
    app_id: int
    fields: dict[str, Any]
    annotations: list[dict[str, Any]] = field(default_factory=list)


@dataclass(eq=False)
class Deployment:
    """`fields` as they were sent; `statuses` oldest first."""

    id: int
    sha: str
    fields: dict[str, Any]
    statuses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> str:
        return str(self.statuses[-1]["state"]) if self.statuses else "pending"


@dataclass(eq=False)
class Repo:
    id: int
    owner: str
    name: str
    bare: Path
    default_branch: str = "main"
    is_private: bool = True
    is_archived: bool = False
    collaborators: dict[str, str] = field(default_factory=dict)  # login in lower case to permission
    heads: dict[str, str] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    runs: list[CheckRun] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(eq=False)
class Installation:
    id: int
    account: str
    repos: set[str]  # full names
    permissions: dict[str, str]
    is_suspended: bool = False
    account_type: str = "Organization"


@dataclass(eq=False)
class App:
    id: int
    slug: str
    private_key: str
    public_key: str
    permissions: dict[str, str]
    events: list[str]


@dataclass(eq=False)
class Grant:
    """What a token may do. `repos` are full names. A person's token has no installation."""

    token: str
    account: str
    user: User
    repos: set[str]
    permissions: dict[str, str]
    expires_at: datetime
    installation: Installation | None = None
    scopes: str = ""  # a classic token's


@dataclass(eq=False)
class HookDelivery:
    """One attempt to send a webhook."""

    id: int
    guid: str
    event: str
    action: str | None
    body: bytes
    delivered_at: datetime
    is_redelivery: bool = False
    status_code: int = 0
