"""Reading repositories, the same way for every forge: through git, from a bare mirror. And writing what the registry
needs: commits beside the branches, and tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bot.domain.errors import UserError


class TagExists(Exception):
    """A tag of this name is there, and is another one."""


class BranchMoved(Exception):
    """A branch is not where it was expected to be."""


class PushRefused(UserError):
    """The repository does not let us push: no permission, a protected tag, a hook. `problem` holds its own words."""


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    message: str
    author_name: str
    author_email: str
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who, and when: with the same signature, the same content has the same id."""

    name: str
    email: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Tag:
    """An annotated tag of a commit. `name` is without `refs/tags/`; `message` is at most 64 KB of it.

    `by.at` is 1970 where the tag does not say it in a way that can be read."""

    name: str
    commit_sha: str
    message: str
    by: Signature


class Git(Protocol):
    """`address` is a clone address. Raises TransientError when the remote can not be reached (network, lock), UserError
    when it refuses or does not hold what was asked for, with the address masked and the revision or path named."""

    def resolve(self, address: str, rev: str) -> str:
        """The sha of a branch, tag, sha, or `HEAD` (the default branch), asked from the remote now."""

    def fetch(self, address: str, shas: Sequence[str]) -> None:
        """Bring commits into the mirror, if they are not there yet."""

    def commit(self, address: str, sha: str) -> Commit: ...

    def read(self, address: str, sha: str, path: str, *, limit_bytes: int) -> bytes | None:
        """A file's content (at most `limit_bytes + 1` bytes, so that the caller sees that it is too long); None when
        there is no such file. Symlinks are not followed: a link reads as None."""

    def changed_paths(self, address: str, before: str, after: str) -> list[str]:
        """Paths that differ between two commits, renames as both names. `before` may be a merge base."""

    def merge_base(self, address: str, a: str, b: str) -> str | None: ...

    def heads(self, address: str) -> dict[str, str]:
        """Branch to sha, as it is at the remote now."""

    def default_branch(self, address: str) -> str:
        """The branch that `HEAD` names at the remote; else `main`, `master` or the only one."""

    def commits_between(self, address: str, base: str | None, head: str, *, limit: int) -> list[Commit]:
        """The oldest `limit` commits that are reachable from `head` and not from `base`, oldest first."""

    def tree_digest(self, address: str, sha: str, paths: Sequence[str], *, without: Sequence[str] = ()) -> str:
        """A digest over the names, modes and blob ids of all files at `sha` that a path or glob of `paths` covers:
        equal exactly when those files are equal. "." covers everything; `**` crosses folders. `without` are paths of
        files that are left out."""

    def tags(self, address: str, *, named: Callable[[str], bool]) -> list[Tag]:
        """The annotated tags of commits as they are at the remote now, by name. Only those whose name is wanted are
        fetched."""

    def read_each(self, address: str, shas: Sequence[str], path: str, *, limit_bytes: int) -> dict[str, bytes | None]:
        """What `read` gives of one path at many commits, with one fetch at most."""

    def paths(self, address: str, sha: str, pattern: str) -> list[str]:
        """Of the files that a path or glob covers, as in `tree_digest`. Sorted."""

    def write_commit(
        self, address: str, parent: str, files: Mapping[str, bytes | None], *, message: str, by: Signature
    ) -> str:
        """The sha of a new commit: the child of `parent` with these files written by path (None removes one), and all
        others as they were. It is here alone until a tag or branch of it is pushed."""

    def push_branch(self, address: str, branch: str, sha: str, *, expected: str | None) -> None:
        """Move a branch from `expected` to a commit, or make it where that is None. Raises BranchMoved when it is not
        there any more, PushRefused when we may not."""

    def push_tags(self, address: str, tags: Sequence[Tag]) -> None:
        """Make tags at the remote, all or none of them. A tag that is there already and is the very same is well.
        Raises TagExists when one is there that differs, PushRefused when we may not."""
