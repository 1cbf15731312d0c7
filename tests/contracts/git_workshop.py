"""Real repositories for tests, made with the git that people use."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "1700000000 +0100",
    "GIT_COMMITTER_NAME": "Grace",
    "GIT_COMMITTER_EMAIL": "grace@example.com",
    "GIT_COMMITTER_DATE": "1700000000 +0100",
}


def git(folder: Path, *arguments: str, check: bool = True, **variables: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env={**ENVIRONMENT, **variables}, capture_output=True, timeout=60
    )
    if check and done.returncode:
        raise AssertionError(f"git {arguments} failed: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace").rstrip("\n")


class Worktree:
    """A clone that somebody works in, and the bare repository that it pushes to."""

    def __init__(self, folder: Path, bare: Path) -> None:
        self.bare = bare
        self.path = folder
        if not bare.exists():
            bare.parent.mkdir(parents=True, exist_ok=True)
            git(bare.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
            git(bare, "config", "uploadpack.allowFilter", "true")
        git(folder.parent, "clone", "--quiet", str(bare), str(folder))
        git(folder, "symbolic-ref", "HEAD", "refs/heads/main")

    def git(self, *arguments: str, check: bool = True, **variables: str) -> str:
        return git(self.path, *arguments, check=check, **variables)

    def write(self, path: str, content: str | bytes) -> None:
        file = self.path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, message: str = "work", **files: str) -> str:
        """Commit everything that is there; `files` by name. Gives the sha."""
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def commit_on(self, branch: str, **files: str) -> str:
        """On a branch; a new one starts at `main`."""
        if self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False):
            self.git("checkout", "--quiet", branch)
        elif branch != "main":
            self.branch(branch)
        return self.commit(f"Work on {branch}", **files)

    def amend(self, branch: str) -> str:
        """Put another commit in the place of the branch's newest."""
        self.git("checkout", "--quiet", branch)
        self.git("commit", "--quiet", "--amend", "--message", "Rewritten")
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str) -> None:
        """Into `main`."""
        self.git("checkout", "--quiet", "main")
        self.git("merge", "--quiet", "--no-ff", "--message", "Merge", branch)

    def push(self, *refspecs: str) -> str:
        """What the pusher reads of the other side."""
        done = subprocess.run(
            ["git", "push", "--force", "origin", *(refspecs or ("HEAD",))],
            cwd=self.path,
            env=ENVIRONMENT,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stderr.decode()

    def branch(self, name: str, start: str = "main") -> None:
        self.git("checkout", "--quiet", "-B", name, start)
