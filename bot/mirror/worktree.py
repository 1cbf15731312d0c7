"""Where a working tree stands: its root, its branch, and who works in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from git import GitCommandError, InvalidGitRepositoryError, NoSuchPathError, Repo

from bot.domain.errors import UserError
from bot.domain.words import quoted
from bot.mirror.command import forget_local_variables


@dataclass(frozen=True, slots=True)
class Worktree:
    """`branch` is "HEAD" when none is checked out. `default_branch` is the one that work is merged into. `head_sha` is
    None before the first commit."""

    root: Path
    branch: str
    default_branch: str
    author: str
    is_clean: bool
    origin: str
    head_sha: str | None


def open_worktree(folder: Path) -> Worktree:
    """Raises UserError where there is no git working tree."""
    forget_local_variables()
    try:
        repo = Repo(folder, search_parent_directories=True)
    except (InvalidGitRepositoryError, NoSuchPathError) as error:
        raise UserError(
            f"{quoted(str(folder.absolute()), limit=200)} is not in a git repository.", "Run `git init` there first."
        ) from error
    with repo, _explained(folder):
        if repo.working_tree_dir is None:
            raise UserError(f"{quoted(str(folder), limit=200)} is a bare repository.", "Run this in a clone of it.")
        branch = "HEAD" if repo.head.is_detached else repo.active_branch.name
        author = repo.config_reader().get_value("user", "name", "")
        return Worktree(
            Path(repo.working_tree_dir),
            branch,
            _default_branch(repo, branch),
            str(author),
            not repo.is_dirty(untracked_files=True),
            _origin(repo),
            repo.head.commit.hexsha if repo.head.is_valid() else None,
        )


def _origin(repo: Repo) -> str:
    """Where it was cloned from; "" for a tree that has no remote."""
    remotes = {remote.name: remote for remote in repo.remotes}
    remote = remotes.get("origin") or next(iter(remotes.values()), None)
    url = "" if remote is None else remote.url
    is_path = url.startswith((".", "~")) or ("/" in url and "://" not in url and ":" not in url.partition("/")[0])
    return str((Path(repo.working_tree_dir or ".") / Path(url).expanduser()).resolve()) if is_path else url


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """git's own words for what keeps it from reading a tree: foreign ownership, a broken index, ..."""
    try:
        yield
    except GitCommandError as error:
        words = error.stderr.strip().removeprefix("stderr: '").removesuffix("'").partition("\n")[0]
        raise UserError(f"git can not read {quoted(str(folder.absolute()), limit=200)}: {words[:300]}") from error


def _default_branch(repo: Repo, branch: str) -> str:
    names = {head.name for head in repo.heads}
    for remote in repo.remotes:
        head = remote.refs["HEAD"].reference.remote_head if "HEAD" in remote.refs else ""
        if head in names:
            return str(head)
    return next((name for name in ("main", "master") if name in names), branch)
