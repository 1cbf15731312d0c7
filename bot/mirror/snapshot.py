"""A commit of a working tree as it is, with what is not committed or added yet. Nothing of the user's is touched."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import UserError
from bot.domain.words import quoted
from bot.mirror.command import GitRunner, forget_local_variables

SNAPSHOTS = "refs/mlops-bot/snapshots/"
KEPT_SNAPSHOTS = 20
# what is added by mistake stays in the repository until git collects it
LARGEST_NEW_FILE_BYTES = 100 * 1024 * 1024
_ADD_TIMEOUT_S = 300.0
_NO_COMMIT_YET = ("mlops-bot", "mlops-bot@localhost", "0 +0000")


def snapshot(worktree: Path) -> str:
    """The sha of a commit that holds the working tree: HEAD itself when it is clean, else a child of HEAD.

    Files that git ignores are left out. Equal trees on an equal HEAD give an equal sha. A hidden reference keeps it."""
    forget_local_variables()
    tree = _WorkingTree.at(worktree)
    tree.check_new_files()
    head = tree.line("rev-parse", "--verify", "--quiet", "HEAD^{commit}", or_else="")
    tree_id = tree.write_tree()
    if head and tree.line("rev-parse", "HEAD^{tree}") == tree_id:
        return head
    sha = tree.commit(tree_id, head)
    tree.keep(sha)
    return sha


@dataclass(frozen=True, slots=True)
class _WorkingTree:
    root: Path
    git_dir: Path
    common_dir: Path

    @classmethod
    def at(cls, path: Path) -> _WorkingTree:
        folder = path.absolute()
        for candidate in (folder, *folder.parents):
            if (candidate / ".git").exists():
                break
        else:
            raise UserError(
                f"{quoted(str(path), limit=200)} is not in a git repository.", "Run `git init` there first."
            )
        git_dir = _git_dir(candidate)
        common = git_dir / "commondir"
        common_dir = (git_dir / common.read_text(encoding="utf-8").strip()).resolve() if common.exists() else git_dir
        return cls(candidate, git_dir, common_dir)

    def line(self, *arguments: str, or_else: str | None = None, variables: Mapping[str, str] | None = None) -> str:
        return self._output(*arguments, or_else=or_else, variables=variables).decode("utf-8", "replace").strip()

    def check_new_files(self) -> None:
        listed = self._output("ls-files", "--others", "--exclude-standard", "-z", timeout_s=_ADD_TIMEOUT_S)
        for name in filter(None, listed.split(b"\0")):
            if _size(self.root / os.fsdecode(name)) > LARGEST_NEW_FILE_BYTES:
                raise UserError(
                    f"{quoted(os.fsdecode(name), limit=200)} is larger than 100 MB and neither ignored nor committed.",
                    "Track it with `dvc add`, or name it in `.gitignore`.",
                )

    def write_tree(self) -> str:
        with tempfile.TemporaryDirectory(prefix="mlops-bot-index-") as folder:
            index = Path(folder) / "index"
            if (self.git_dir / "index").exists():
                # so that unchanged files are not read again. With its time: git reads a file again that was written at
                # the index's own time or later (git's Documentation/technical/racy-git.txt)
                shutil.copy2(self.git_dir / "index", index)
            variables = {"GIT_INDEX_FILE": str(index)}
            self._output("add", "--all", "--", ".", variables=variables, timeout_s=_ADD_TIMEOUT_S)
            return self.line("write-tree", variables=variables)

    def commit(self, tree_id: str, head: str) -> str:
        name, email, date = _NO_COMMIT_YET
        if head:
            shown = self.line("log", "-1", "--no-show-signature", "--format=%an%x00%ae%x00%cd", "--date=raw", head)
            name, email, date = shown.split("\0")
        name = name.strip(" .,:;<>\"\\'") or "mlops-bot"  # git refuses a name of nothing but these
        variables = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", name), ("EMAIL", email), ("DATE", f"@{date}"))
        }
        parent = ["-p", head] if head else []
        message = "Working tree, with what is not committed yet"
        return self.line("commit-tree", "--no-gpg-sign", *parent, "-m", message, tree_id, variables=variables)

    def keep(self, sha: str) -> None:
        """Hold the commit by a hidden reference, and let go of all but the newest."""
        self._output("update-ref", f"{SNAPSHOTS}{sha}", sha)
        folder = self.common_dir / SNAPSHOTS
        if (folder / sha).exists():
            (folder / sha).touch()
        names = self.line("for-each-ref", "--format=%(refname:lstrip=3)", "--", SNAPSHOTS).split()
        by_age = sorted(names, key=lambda name: _written_at(folder / name), reverse=True)
        for old in by_age[KEPT_SNAPSHOTS:]:
            self._output("update-ref", "-d", f"{SNAPSHOTS}{old}")

    def _output(
        self,
        *arguments: str,
        or_else: str | None = None,
        variables: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
    ) -> bytes:
        runner = GitRunner(self.git_dir, {"GIT_WORK_TREE": str(self.root), "GIT_TERMINAL_PROMPT": "0"})
        done = runner.run("-C", str(self.root), *arguments, variables=variables, timeout_s=timeout_s,
                          config={"core.splitIndex": "false", "core.safecrlf": "false"})  # fmt: skip
        if done.status and or_else is not None:
            return or_else.encode()
        if done.status:
            reason = done.error.splitlines()[-1] if done.error else "no reason given"
            raise UserError(
                f"The working tree could not be read by git: {reason}", "Does `git add --all --dry-run` work?"
            )
        return done.output


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _git_dir(root: Path) -> Path:
    link = root / ".git"
    if link.is_dir():
        return link
    return (root / link.read_text(encoding="utf-8").strip().removeprefix("gitdir: ")).resolve()


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # packed by `git gc`, so older than every loose one
