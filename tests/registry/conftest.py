"""A model repository with one trained commit, as a folder and behind smart HTTP, and the registry on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.change import Repository
from bot.mirror import GitMirror
from bot.registry import GitRegistry
from tests.contracts.git_workshop import Worktree, git
from tests.mirror.http_remote import HttpRemote


@pytest.fixture
def worktree(tmp_path: Path) -> Worktree:
    worktree = Worktree(tmp_path / "work", tmp_path / "remote.git")
    git(worktree.bare, "config", "http.receivepack", "true")
    return worktree


@pytest.fixture
def trained(worktree: Worktree) -> str:
    worktree.write("models/breast-cancer/train.py", "train")
    sha = worktree.commit("Train it", README="read me")
    worktree.push("main")
    return sha


@pytest.fixture
def http(worktree: Worktree) -> Iterator[HttpRemote]:
    with HttpRemote(worktree.bare).running() as remote:
        yield remote


@pytest.fixture(params=["plain", "github"])
def repository(request: pytest.FixtureRequest, worktree: Worktree, http: HttpRemote) -> Repository:
    address = str(worktree.bare) if request.param == "plain" else http.address
    return Repository(f"{request.param}/acme/models", address, "main")


@pytest.fixture
def plain(worktree: Worktree) -> Repository:
    return Repository("plain/acme/models", str(worktree.bare), "main")


@pytest.fixture
def git_port(tmp_path: Path, http: HttpRemote) -> Iterator[GitMirror]:
    mirror = GitMirror(
        tmp_path / "home",
        allow_local=True,
        credentials=http.reading,
        push_credentials=http.pushing,
        http_origins=[http.origin],
    )
    yield mirror
    mirror.close()


@pytest.fixture
def registry(git_port: GitMirror) -> GitRegistry:
    return GitRegistry(git_port)
