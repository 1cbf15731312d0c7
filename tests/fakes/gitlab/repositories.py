"""The bare repositories of the fake's projects."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_ENVIRONMENT = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(bare: Path, *arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["git", "-C", str(bare), *arguments], env=_ENVIRONMENT, capture_output=True, text=True, timeout=60
    )
    if check and done.returncode:
        raise AssertionError(f"git {arguments}: {done.stderr}")
    return done.stdout.strip()


def create(bare: Path) -> None:
    bare.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True, env=_ENVIRONMENT
    )


def fork(source: Path, bare: Path) -> None:
    bare.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", str(source), str(bare)], check=True, env=_ENVIRONMENT)


def heads(bare: Path) -> dict[str, str]:
    lines = git(bare, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").splitlines()
    return dict(line.rsplit(" ", 1) for line in lines)


def keep_head(target: Path, source: Path, iid: int, sha: str) -> None:
    """GitLab holds the head of each merge request in the target's repository, also of those from forks."""
    if target != source:
        git(target, "fetch", "--quiet", str(source), sha)
    git(target, "update-ref", f"refs/merge-requests/{iid}/head", sha)


def is_commit(bare: Path, sha: str) -> bool:
    return git(bare, "cat-file", "-t", sha, check=False) == "commit"


def is_ancestor(bare: Path, sha: str, of: str) -> bool:
    return is_commit(bare, sha) and git(bare, "merge-base", sha, of, check=False) == sha


def branches_with(bare: Path, sha: str) -> list[str]:
    return git(bare, "for-each-ref", "--format=%(refname:lstrip=2)", f"--contains={sha}", "refs/heads").splitlines()


def subject(bare: Path, sha: str) -> str:
    return git(bare, "log", "-1", "--format=%s", sha)
