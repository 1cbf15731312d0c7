"""The Git port: hosts that hang, processes that die, and what a mirror costs."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bot.domain.errors import TransientError
from bot.mirror import GitMirror, repositories
from tests.contracts.git_workshop import Worktree, git


def test_a_host_that_can_not_be_reached_is_tried_again_later_and_shows_no_password(mirror: GitMirror) -> None:
    with pytest.raises(TransientError) as failed:
        mirror.resolve("https://ada:s3cr3t-word@127.0.0.1:1/x.git", "HEAD")

    assert "The repository `https://127.0.0.1:1/x.git` can not be reached" in failed.value.problem
    assert "s3cr3t-word" not in failed.value.problem


def test_a_host_that_hangs_is_given_up_together_with_its_helpers(
    mirror: GitMirror, tmp_path: Path, worktree: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "hang"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setattr(repositories, "NETWORK_TIMEOUT_S", 1.0)

    with pytest.raises(TransientError, match="took longer than 1 s"):
        mirror.resolve("ssh://git.example.com/x", "HEAD")

    assert ended(int((tmp_path / "pid").read_text()))


def ended(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_the_mirror_holds_no_contents_until_they_are_read_and_asks_the_remote_once(
    mirror: GitMirror, remote_address: str, worktree: Worktree, tmp_path: Path, calls: Callable[[], int]
) -> None:
    worktree.write("a", "content of a")
    worktree.write("b", "content of b")
    sha = worktree.commit()
    worktree.push("main")
    mirror.fetch(remote_address, [sha])
    folder = next((tmp_path / "home/mirrors").glob("*.git"))

    def blobs() -> int:
        return git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split().count("blob")

    held = [blobs()]
    mirror.tree_digest(remote_address, sha, ["."])
    asked = calls()
    for _ in range(2):
        assert mirror.read(remote_address, sha, "a", limit_bytes=100) == b"content of a"
        held.append(blobs())

    assert held == [0, 1, 1]
    assert (asked, calls()) == (1, 2)


def test_a_mirror_stays_small_in_number_of_packs(
    mirror: GitMirror, remote_address: str, worktree: Worktree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repositories, "PACK_LIMIT", 3)
    shas = []
    for number in range(8):
        shas.append(worktree.commit(a=str(number)))
        worktree.push("main")
        mirror.fetch(remote_address, [shas[-1]])
    folder = next((tmp_path / "home/mirrors").glob("*.git"))

    assert len(list((folder / "objects/pack").glob("*.pack"))) <= 4
    assert [mirror.read(remote_address, sha, "a", limit_bytes=9) for sha in shas] == [b"%d" % n for n in range(8)]


def test_many_threads_and_two_processes_worth_of_mirrors_get_right_answers(
    tmp_path: Path, address: str, worktree: Worktree
) -> None:
    shas = [worktree.commit(a=str(number)) for number in range(6)]
    worktree.push("main")
    mirrors = [GitMirror(tmp_path / "home", allow_local=True) for _ in range(2)]
    wrong: list[object] = []

    def ask(mirror: GitMirror) -> None:
        for number, sha in enumerate(shas):
            read = mirror.read(address, sha, "a", limit_bytes=9)
            if read != b"%d" % number:
                wrong.append((sha, read))

    threads = [threading.Thread(target=ask, args=(mirror,)) for mirror in mirrors * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mirror in mirrors:
        mirror.close()

    assert wrong == []


def test_a_git_process_that_was_killed_is_replaced(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    sha = worktree.commit(a="1")
    worktree.push("main")
    mirror.read(address, sha, "a", limit_bytes=9)
    for child in psutil.Process().children():
        if child.status() == psutil.STATUS_ZOMBIE:  # another test's, in this process
            continue
        if child.cmdline()[:1] == ["git"] and "cat-file" in child.cmdline():
            child.kill()
            child.wait(10)

    assert mirror.read(address, sha, "a", limit_bytes=9) == b"1"


def test_a_repository_that_was_made_anew_is_read_anew(mirror: GitMirror, worktree: Worktree, tmp_path: Path) -> None:
    address = str(worktree.bare)
    sha = worktree.commit(a="1")
    worktree.push("main")
    mirror.resolve(address, "main")
    worktree.bare.rename(tmp_path / "old.git")
    anew = Worktree(tmp_path / "anew", worktree.bare)
    other = anew.commit("other", a="2")
    anew.push("main")

    assert mirror.resolve(address, "main") == other
    assert other != sha


def test_what_a_repository_configures_is_not_run(
    mirror: GitMirror, worktree: Worktree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(trap.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "gitconfig").write_text(f"[core]\n\tfsmonitor = {trap}\n[diff]\n\texternal = {trap}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    first = worktree.commit(a="1")
    second = worktree.commit(a="2")
    worktree.push("main")
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "diff.external", "filter.x.smudge", "core.gitProxy"):
        git(worktree.bare, "config", key, str(trap))
    address = str(worktree.bare)

    mirror.changed_paths(address, first, second)
    mirror.merge_base(address, first, second)
    mirror.commits_between(address, first, second, limit=9)
    mirror.read(address, mirror.resolve(address, "main"), "a", limit_bytes=9)

    assert not (tmp_path / "sprung").exists()


def test_a_mirror_that_is_made_in_a_hook_reads_the_repository_that_it_is_asked_for(
    tmp_path: Path, worktree: Worktree, monkeypatch: pytest.MonkeyPatch
) -> None:
    sha = worktree.commit(a="1")
    worktree.push("main")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "elsewhere"))

    mirror = GitMirror(tmp_path / "home", allow_local=True)

    assert mirror.resolve(str(worktree.bare), "main") == sha
    mirror.close()
