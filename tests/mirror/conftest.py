"""Each test of the Git port runs on a repository of this machine and on a mirror of a remote one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.mirror import GitMirror
from tests.contracts.git_workshop import Worktree, git
from tests.mirror.http_remote import HttpRemote

# runs on this machine what ssh would run on the other one
SSH = """#!/bin/sh
for command; do :; done
echo "$command" >> {log}
exec sh -c "$command"
"""


@pytest.fixture
def worktree(tmp_path: Path) -> Worktree:
    return Worktree(tmp_path / "work", tmp_path / "remote.git")


@pytest.fixture(params=["local", "remote"])
def address(request: pytest.FixtureRequest, worktree: Worktree, remote_address: str) -> str:
    return str(worktree.bare) if request.param == "local" else remote_address


@pytest.fixture
def calls(tmp_path: Path) -> Callable[[], int]:
    """How often the remote was asked."""
    return lambda: (tmp_path / "ssh.log").read_text().count("\n") if (tmp_path / "ssh.log").exists() else 0


@pytest.fixture
def remote_address(tmp_path: Path, worktree: Worktree, monkeypatch: pytest.MonkeyPatch) -> str:
    program = tmp_path / "ssh"
    program.write_text(SSH.format(log=tmp_path / "ssh.log"))
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    return f"ssh://git.example.com{worktree.bare}"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[GitMirror]:
    mirror = GitMirror(tmp_path / "home", allow_local=True)
    yield mirror
    mirror.close()


@pytest.fixture
def parent(worktree: Worktree) -> str:
    worktree.write("models/churn/train.py", "train")
    worktree.write("run.sh", "#!/bin/sh")
    (worktree.path / "run.sh").chmod(0o755)
    (worktree.path / "link").symlink_to("run.sh")
    sha = worktree.commit(README="read me")
    worktree.push("main")
    return sha


@pytest.fixture
def http(worktree: Worktree) -> Iterator[HttpRemote]:
    git(worktree.bare, "config", "http.receivepack", "true")
    with HttpRemote(worktree.bare).running() as remote:
        yield remote


@pytest.fixture
def lent(http: HttpRemote, tmp_path: Path) -> Iterator[GitMirror]:
    """A mirror that is lent tokens for the remote."""
    mirror = GitMirror(
        tmp_path / "lent",
        allow_local=False,
        credentials=http.reading,
        push_credentials=http.pushing,
        http_origins=[http.origin],
    )
    yield mirror
    mirror.close()
