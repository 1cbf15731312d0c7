"""A commit of a working tree as it is, for `mlops-bot run`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.domain.errors import UserError
from bot.mirror import GitMirror, snapshot
from bot.mirror.snapshot import KEPT_SNAPSHOTS, SNAPSHOTS
from tests.contracts.git_workshop import git


@pytest.fixture(autouse=True)
def users_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user has a name, and ignores `*.swp` everywhere."""
    (tmp_path / "ignore").write_text("*.swp\n")
    (tmp_path / "gitconfig").write_text(
        f"[user]\n\tname = Ada\n\temail = ada@example.com\n[core]\n\texcludesFile = {tmp_path}/ignore\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "tree")
    (tree / ".gitignore").write_text("data/\n")
    (tree / "train.py").write_text("one")
    (tree / "kept.py").write_text("kept")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "First")
    return tree


def everything(tree: Path) -> dict[str, str]:
    """All that a user could notice: index, branches, status, reflog."""
    commands = {
        "index": ["ls-files", "--stage"],
        "branches": ["for-each-ref", "refs/heads", "refs/tags", "refs/stash"],
        "status": ["status", "--porcelain", "--ignored"],
        "reflog": ["reflog"],
        "head": ["symbolic-ref", "HEAD"],
    }
    return {name: git(tree, *command, check=False) for name, command in commands.items()}


def files(tree: Path, sha: str) -> dict[str, str]:
    names = git(tree, "ls-tree", "-r", "--name-only", sha).splitlines()
    return {name: git(tree, "show", f"{sha}:{name}") for name in names}


def test_a_clean_tree_is_its_head(tree: Path) -> None:
    assert snapshot(tree) == git(tree, "rev-parse", "HEAD")
    assert git(tree, "for-each-ref", SNAPSHOTS) == ""


def test_edited_staged_new_and_deleted_files_are_as_they_lie_there(tree: Path) -> None:
    (tree / "train.py").write_text("staged")
    git(tree, "add", "train.py")
    (tree / "train.py").write_text("edited after")
    (tree / "kept.py").unlink()
    (tree / "new").mkdir()
    (tree / "new/file").write_text("new")
    (tree / "data").mkdir()
    (tree / "data/big.csv").write_text("ignored")
    (tree / "x.swp").write_text("ignored by the user")
    before = everything(tree)

    sha = snapshot(tree)

    assert files(tree, sha) == {".gitignore": "data/", "train.py": "edited after", "new/file": "new"}
    assert git(tree, "rev-parse", f"{sha}^") == git(tree, "rev-parse", "HEAD")
    assert everything(tree) == before


def test_the_same_tree_on_the_same_head_is_the_same_commit(tree: Path) -> None:
    (tree / "train.py").write_text("two")
    first = snapshot(tree)
    (tree / "train.py").write_text("three")
    other = snapshot(tree)
    (tree / "train.py").write_text("two")

    assert snapshot(tree) == first != other


def test_a_file_that_was_edited_at_the_same_instant_as_it_was_committed_is_seen(tree: Path) -> None:
    """Git tells an edit by time and size; it reads a file again when its time is not before the index's own."""
    index, file = tree / ".git/index", tree / "train.py"
    git(tree, "config", "core.trustctime", "false")  # the one time that a test can not set
    instant = file.stat().st_mtime_ns - 60_000_000_000
    os.utime(file, ns=(instant, instant))
    git(tree, "update-index", "--really-refresh")
    file.write_text("two")
    os.utime(file, ns=(instant, instant))
    os.utime(index, ns=(instant, instant))

    assert files(tree, snapshot(tree))["train.py"] == "two"


def test_it_is_made_from_any_folder_of_the_tree(tree: Path) -> None:
    (tree / "models/a").mkdir(parents=True)
    (tree / "models/a/x").write_text("new")

    assert snapshot(tree / "models/a") == snapshot(tree)


def test_a_repository_without_commits_has_a_snapshot(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    (tmp_path / "empty/train.py").write_text("one")

    sha = snapshot(tmp_path / "empty")

    assert files(tmp_path / "empty", sha) == {"train.py": "one"}
    assert snapshot(tmp_path / "empty") == sha


def test_a_linked_working_tree_has_its_own_snapshot(tree: Path, tmp_path: Path) -> None:
    git(tree, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    (tmp_path / "side/train.py").write_text("on the side")

    sha = snapshot(tmp_path / "side")

    assert files(tree, sha)["train.py"] == "on the side"
    assert git(tree, "for-each-ref", "--format=%(refname)", SNAPSHOTS) == f"{SNAPSHOTS}{sha}"


def test_it_can_be_read_and_fetched_by_its_sha_like_any_commit(tree: Path, tmp_path: Path) -> None:
    (tree / "train.py").write_text("two")
    sha = snapshot(tree)
    mirror = GitMirror(tmp_path / "home", allow_local=True)
    git(tmp_path, "init", "--quiet", "--bare", "clone.git")

    git(tmp_path / "clone.git", "fetch", "--quiet", str(tree), sha)

    assert mirror.read(str(tree), sha, "train.py", limit_bytes=99) == b"two"
    assert mirror.changed_paths(str(tree), mirror.resolve(str(tree), "HEAD"), sha) == ["train.py"]
    mirror.close()


def test_hooks_and_signing_of_the_user_do_not_run(tree: Path, tmp_path: Path) -> None:
    for name in ("post-index-change", "pre-commit", "reference-transaction"):
        hook = tree / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    git(tree, "config", "commit.gpgSign", "true")
    git(tree, "config", "gpg.program", "/nonexistent/gpg")
    (tree / "train.py").write_text("two")

    snapshot(tree)

    assert not (tmp_path / "ran").exists()


def test_a_tree_with_a_conflict_has_a_snapshot_as_it_lies_there(tree: Path) -> None:
    for branch, text in (("side", "side"), ("main", "main")):
        git(tree, "checkout", "--quiet", "-B", branch, "main" if branch == "side" else "HEAD~0")
        (tree / "train.py").write_text(text)
        git(tree, "commit", "--quiet", "--all", "--message", branch)
    git(tree, "checkout", "--quiet", "-B", "third", "main~1")
    (tree / "train.py").write_text("third")
    git(tree, "commit", "--quiet", "--all", "--message", "third")
    git(tree, "merge", "--quiet", "main", check=False)
    before = everything(tree)

    sha = snapshot(tree)

    assert "<<<<<<<" in files(tree, sha)["train.py"]
    assert everything(tree) == before


def test_the_newest_snapshots_are_kept(tree: Path) -> None:
    made = []
    for number in range(KEPT_SNAPSHOTS + 2):
        (tree / "train.py").write_text(f"version {number}")
        made.append(snapshot(tree))

    kept = git(tree, "for-each-ref", "--format=%(refname:lstrip=3)", SNAPSHOTS).split()

    assert len(kept) == KEPT_SNAPSHOTS
    assert made[-1] in kept
    assert set(made[:2]).isdisjoint(kept)


def test_a_large_file_that_nobody_ignores_is_refused_by_its_name(tree: Path) -> None:
    with (tree / "data.bin").open("wb") as file:
        file.truncate(101 * 1024 * 1024)

    with pytest.raises(UserError) as refused:
        snapshot(tree)

    assert refused.value.problem == "`data.bin` is larger than 100 MB and neither ignored nor committed."
    assert refused.value.fix == "Track it with `dvc add`, or name it in `.gitignore`."


def test_a_folder_outside_of_git_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        snapshot(tmp_path)

    assert "is not in a git repository." in refused.value.problem
    assert refused.value.fix == "Run `git init` there first."


def test_a_snapshot_that_is_made_in_a_hook_leaves_the_hooks_index_alone(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "hooks-index"))
    (tree / "train.py").write_text("two")

    sha = snapshot(tree)

    assert files(tree, sha)["train.py"] == "two"
    assert not (tmp_path / "hooks-index").exists()


def test_names_of_any_kind_are_files(tree: Path) -> None:
    for name in ("-x", "--all", "a b", "ünï", "a\nb", ":(top)x", "*"):
        (tree / name).write_text("1")

    sha = snapshot(tree)

    listed = git(tree, "ls-tree", "-z", "--name-only", sha).split("\0")
    assert {"-x", "--all", "a b", "ünï", "a\nb", ":(top)x", "*"} <= set(listed)
