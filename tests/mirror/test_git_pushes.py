"""The Git port: pushing to folders and over HTTP, from mirrors without files, and being refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.errors import TransientError, UserError
from bot.mirror import GitMirror
from bot.ports.git import PushRefused
from tests.contracts.git_workshop import Worktree, git
from tests.mirror.http_remote import PUSH_TOKEN, READ_TOKEN, HttpRemote
from tests.mirror.tag_samples import BOT, NAME, hook, tag


def test_a_push_to_a_folder_is_like_anybodys_its_hooks_are_asked_and_told(
    mirror: GitMirror, worktree: Worktree, parent: str, tmp_path: Path
) -> None:
    hook(worktree.bare, "update", f'echo "$1" >> {tmp_path}/asked')
    hook(worktree.bare, "post-receive", f"cat >> {tmp_path}/told")
    trap = tmp_path / "elsewhere.git"
    git(tmp_path, "init", "--quiet", "--bare", str(trap))
    git(worktree.bare, "config", f"url.{trap}.pushInsteadOf", str(worktree.bare))
    git(worktree.bare, "config", f"remote.{worktree.bare}.url", str(trap))

    mirror.push_tags(str(worktree.bare), [tag(parent)])

    assert (tmp_path / "asked").read_text() == f"refs/tags/{NAME}\n"
    assert (tmp_path / "told").read_text().split()[2] == f"refs/tags/{NAME}"
    assert git(trap, "for-each-ref") == ""


def test_a_working_tree_and_a_repository_of_sha256_take_tags_too(mirror: GitMirror, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    git(tmp_path, "init", "--quiet", "--object-format=sha256", "--initial-branch=main", str(folder))
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "x")
    parent = git(folder, "rev-parse", "HEAD")

    sha = mirror.write_commit(str(folder), parent, {"a": b"1"}, message="x\n", by=BOT)
    mirror.push_tags(str(folder), [tag(sha)])

    assert git(folder, "show", f"{NAME}:a") == "1"
    assert len(sha) == 64


@pytest.mark.parametrize("event", ["pre-receive", "update"])
def test_a_repository_that_takes_no_tags_says_why_in_its_own_words(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str, event: str
) -> None:
    hook(
        worktree.bare, event, "echo 'GitLab: You are not allowed to create this tag as it is `protected`.' >&2; exit 1"
    )

    with pytest.raises(PushRefused) as refused:
        mirror.push_tags(address, [tag(parent)])

    assert f"does not take `{NAME}` from the bot: " in refused.value.problem
    assert "You are not allowed to create this tag as it is 'protected'." in refused.value.problem
    assert refused.value.fix == "Give the bot the right to make tags there."
    assert git(worktree.bare, "for-each-ref", "refs/tags") == ""


def test_a_push_over_http_uses_the_token_that_may_push_and_shows_it_to_nobody(
    lent: GitMirror, http: HttpRemote, worktree: Worktree, parent: str, tmp_path: Path
) -> None:
    hook(worktree.bare, "pre-receive", f"cat /proc/[0-9]*/cmdline /proc/[0-9]*/cmdline > {tmp_path}/processes; exit 0")

    sha = lent.write_commit(http.address, parent, {"mlops.lock": b"{}"}, message="x\n", by=BOT)
    lent.push_tags(http.address, [tag(sha)])

    assert git(worktree.bare, "rev-parse", f"refs/tags/{NAME}^{{commit}}") == sha
    assert f"read {READ_TOKEN}" in http.seen
    assert {line for line in http.seen if line.startswith("push")} == {f"push {PUSH_TOKEN}"}
    written = [file.read_bytes() for file in (tmp_path / "lent").rglob("*") if file.is_file()]
    for secret in (PUSH_TOKEN, READ_TOKEN):
        assert secret.encode() not in (tmp_path / "processes").read_bytes()
        assert not [content for content in written if secret.encode() in content]
    assert b"push" in (tmp_path / "processes").read_bytes()


def test_a_token_that_may_not_push_is_named_as_the_reason(lent: GitMirror, http: HttpRemote, parent: str) -> None:
    http.forbidden = "Permission to acme/models.git denied to mlops-bot[bot]."

    with pytest.raises(PushRefused) as refused:
        lent.push_tags(http.address, [tag(parent)])

    assert "Permission to acme/models.git denied to mlops-bot[bot]." in refused.value.problem
    assert "error: 403" in refused.value.problem


def test_a_remote_that_can_not_be_reached_is_tried_again_later(tmp_path: Path, parent: str, worktree: Worktree) -> None:
    http = HttpRemote(worktree.bare)
    mirror = GitMirror(tmp_path / "lent", allow_local=False, credentials=http.pushing, http_origins=[http.origin])
    with http.running():
        mirror.fetch(http.address, [parent])

    with pytest.raises(TransientError, match="can not be reached"):
        mirror.push_tags(http.address, [tag(parent)])
    with pytest.raises(TransientError, match="can not be reached"):
        mirror.tags(http.address, named=lambda _name: True)
    mirror.close()


def test_a_tag_of_a_commit_that_nobody_has_is_not_made(mirror: GitMirror, address: str, worktree: Worktree) -> None:
    worktree.commit(a="1")
    worktree.push("main")

    with pytest.raises(UserError, match=f"has no commit `{'a' * 40}`"):
        mirror.push_tags(address, [tag("a" * 40)])
    with pytest.raises(UserError, match="can not be the name of a tag"):
        mirror.push_tags(address, [tag("a" * 40, name="..")])


def big(worktree: Worktree) -> str:
    """A commit of many large files, on a branch that is deleted later."""
    for number in range(300):
        worktree.write(f"folder-{number % 20}/file-{number}", f"{number} " * 5_000)
    worktree.commit("Big")
    worktree.push("main")
    worktree.branch("work")
    sha = worktree.commit("Work", change="1")
    worktree.push("work")
    return sha


def stored(bare: Path) -> dict[Path, int]:
    files = [*bare.glob("objects/??/*"), *bare.glob("objects/pack/*.pack")]
    return {file: file.stat().st_size for file in files}


@pytest.mark.parametrize("is_old", [False, True], ids=["negotiating", "old"])
def test_a_mirror_without_files_pushes_a_child_of_a_big_commit_and_fetches_none(
    lent: GitMirror, http: HttpRemote, worktree: Worktree, tmp_path: Path, is_old: bool
) -> None:
    parent = big(worktree)
    lent.fetch(http.address, [parent])
    worktree.git("checkout", "--quiet", "main")
    worktree.commit("Later", later="1")
    worktree.push("main", *([] if is_old else [":work"]))  # the one is reached from a branch, the other from nothing
    git(worktree.bare, "gc", "--quiet")
    before = stored(worktree.bare)
    http.is_old = is_old

    sha = lent.write_commit(http.address, parent, {"mlops.lock": b"{}"}, message="x\n", by=BOT)
    lent.push_tags(http.address, [tag(sha)])

    folder = next((tmp_path / "lent/mirrors").glob("*.git"))
    kinds = git(folder, "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)").split()
    assert git(worktree.bare, "show", f"{NAME}:mlops.lock") == "{}"
    assert kinds.count("blob") == 1
    assert sum(stored(worktree.bare).values()) - sum(before.values()) < 20_000
