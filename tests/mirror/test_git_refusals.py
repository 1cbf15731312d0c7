"""The Git port: text from outside is never an option, an expression or another protocol."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.domain.errors import UserError
from bot.mirror import GitMirror
from tests.contracts.git_workshop import Worktree


@pytest.mark.parametrize(
    "rev",
    ["gone", "", "-x", "--upload-pack=touch x", "main~1", "main:a", "@{u}", "a..b", ":/x", "a\nb", "a\0b", "*",
     "é\ud800", "refs/heads/*", "abcdef1", "x" * 2000],
)  # fmt: skip
def test_what_names_no_commit_is_refused_by_its_name(
    mirror: GitMirror, address: str, worktree: Worktree, rev: str
) -> None:
    worktree.commit(a="1")
    worktree.push("main")

    with pytest.raises(UserError) as refused:
        mirror.resolve(address, rev)

    assert "has no branch, tag or commit" in refused.value.problem
    assert refused.value.fix == "Check its spelling, and that it was pushed."


def test_a_branch_named_like_an_option_is_read_like_any_other(
    mirror: GitMirror, address: str, worktree: Worktree
) -> None:
    names = ["--upload-pack=x", "-q", "<script>", "ünïcode/$(id)"]
    sha = worktree.commit(a="1")
    worktree.push(*(f"HEAD:refs/heads/{name}" for name in names))

    assert {name: mirror.resolve(address, name) for name in names} == dict.fromkeys(names, sha)
    assert mirror.heads(address) == dict.fromkeys(names, sha)


def test_branches_whose_names_are_not_text_are_left_out(mirror: GitMirror, worktree: Worktree) -> None:
    sha = worktree.commit(a="1")
    worktree.push("main")
    Path(os.fsdecode(os.fsencode(worktree.bare) + b"/refs/heads/\xff")).write_text(sha + "\n")

    assert mirror.heads(str(worktree.bare)) == {"main": sha}


def test_what_is_no_file_reads_as_none(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    worktree.write("folder/file", "1")
    (worktree.path / "link").symlink_to("folder/file")
    (worktree.path / "out").symlink_to("/etc/passwd")
    (worktree.path / "linked").symlink_to("folder")
    sha = worktree.commit()
    worktree.push("main")
    paths = ["missing", "folder", "folder/", "folder/file/x", "link", "out", "linked/file", "../x", "..", "",
             "/folder/file", ".", "a\0b", "folder\nfile", ":folder/file", "HEAD:folder/file", "é\ud800"]  # fmt: skip

    read = {path: mirror.read(address, sha, path, limit_bytes=10) for path in paths}

    assert read == dict.fromkeys(read)


def test_a_commit_that_was_never_pushed_is_named(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    worktree.commit(a="1")
    worktree.push("main")

    with pytest.raises(UserError) as refused:
        mirror.fetch(address, ["0123456789" * 4])

    assert "has no commit `0123456789012345678901234567890123456789`" in refused.value.problem
    assert refused.value.fix == "Was it pushed?"


@pytest.mark.parametrize("sha", ["main", "-x", "--all", "a" * 39, "A" * 40, ""])
def test_only_whole_ids_are_taken_for_commits(mirror: GitMirror, address: str, worktree: Worktree, sha: str) -> None:
    worktree.commit(a="1")
    worktree.push("main")

    with pytest.raises(UserError, match="is not a commit's id"):
        mirror.commit(address, sha)


@pytest.mark.parametrize(
    "address",
    ["ext::sh -c touch% x", "git://example.com/x", "http://example.com/x", "fd::17", "-oProxyCommand=x", "ftp://h/x",
     "--upload-pack=x", "ssh://-oProxyCommand=x/y", "ssh://-l@host/x", "git@-host:x", "git@host:-x", "folder/x", "",
     "https://", "https://host:port/x", "https://ho st/x", "https://host/x\n--x", "file://host/x", "transport::address",
     "https://host/\ud800"],
)  # fmt: skip
def test_an_address_that_git_might_misunderstand_is_refused(mirror: GitMirror, address: str) -> None:
    with pytest.raises(UserError) as refused:
        mirror.resolve(address, "HEAD")

    assert refused.value.fix


@pytest.mark.parametrize("address", ["/tmp", "file:///tmp"])
def test_folders_of_the_machine_are_read_only_where_that_is_allowed(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError, match="which it does not read"):
        GitMirror(tmp_path / "home", allow_local=False).resolve(address, "HEAD")


def test_a_folder_without_a_repository_is_named(mirror: GitMirror, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no git repository at `.*/nothing`\."):
        mirror.resolve(f"file://{tmp_path}/nothing", "HEAD")


def test_a_remote_repository_that_does_not_exist_is_the_users_error(mirror: GitMirror, remote_address: str) -> None:
    with pytest.raises(UserError, match="can not be read"):
        mirror.resolve(remote_address + "-gone", "HEAD")
