"""The registry: GTO-format tags in the model's own repository. Git is the record, everything else an index of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.domain.change import Repository
from bot.domain.version import Assignment, VersionLock, VersionNumber


class TagTaken(Exception):
    """Somebody else made this tag first: read again, decide again."""


@dataclass(frozen=True, slots=True)
class TaggedVersion:
    """A version tag as it is in git. `lock` is None for one that was not made by the bot, or whose `mlops.lock` can not
    be read (`problem` says why)."""

    model: str
    number: VersionNumber
    commit_sha: str
    by: str
    at: datetime
    lock: VersionLock | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """All that a repository's tags say: versions by rising number, assignments in the order in which they were made.

    A version that was taken back (GTO's `churn@v1.2.0!`) is left out together with its assignments, and so is an
    assignment that was taken back (`churn#production!#5`), as `gto show` does. Their tags remain, so what is new is
    numbered after `numbers` and `serials`: the highest that any tag of a model has. Serials count over all
    environments of a model, as GTO's do.
    """

    versions: tuple[TaggedVersion, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    numbers: Mapping[str, VersionNumber] = field(default_factory=dict)
    serials: Mapping[str, int] = field(default_factory=dict)

    def next_serial(self, model: str) -> int:
        return self.serials.get(model, 0) + 1


class Registry(Protocol):
    """Raises TransientError when the repository can not be reached, UserError when it refuses (tags need rights)."""

    def read(self, repository: Repository) -> Record:
        """The tags as they are at the remote now. Other tags are ignored."""

    def register(self, repository: Repository, lock: VersionLock, *, card: str, by: str, at: datetime) -> TaggedVersion:
        """Make the version's commit (child of `lock.sha`: same tree, `mlops.lock`, what DVC needs to find the model,
        and the model card) and push its tag. The same again gives the version that is there. Raises TagTaken when the
        tag holds anything else."""

    def assign(
        self,
        repository: Repository,
        *,
        model: str,
        environment: str,
        serial: int,
        commit_sha: str,
        deployment_id: str,
        by: str,
        at: datetime,
    ) -> Assignment:
        """Push the assignment's tag. The same again (told by `deployment_id`) gives the one that is there. Raises
        TagTaken."""
