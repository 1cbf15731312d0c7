"""The Git port: moving branches, from where they are expected to be and from nowhere else; taking files out."""

from __future__ import annotations

import pytest

from bot.domain.errors import UserError
from bot.mirror import GitMirror
from bot.ports.git import BranchMoved, PushRefused
from tests.contracts.git_workshop import Worktree, git
from tests.mirror.tag_samples import BOT, hook


def test_a_branch_moves_from_where_it_is_expected_to_be(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    sha = mirror.write_commit(address, parent, {"environments/a.yaml": b"a: 1\n"}, message="One\n", by=BOT)

    mirror.push_branch(address, "main", sha, expected=parent)

    assert mirror.heads(address)["main"] == sha
    assert git(worktree.bare, "show", "main:environments/a.yaml") == "a: 1"


def test_a_branch_that_moved_meanwhile_stays_as_it_is(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    ours, theirs = (
        mirror.write_commit(address, parent, {"a.yaml": text}, message="x\n", by=BOT) for text in (b"1", b"2")
    )
    mirror.push_branch(address, "main", theirs, expected=parent)

    with pytest.raises(BranchMoved):
        mirror.push_branch(address, "main", ours, expected=parent)

    assert git(worktree.bare, "rev-parse", "main") == theirs


def test_a_branch_is_made_where_there_is_none_and_only_there(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    first, second = (
        mirror.write_commit(address, parent, {"a.yaml": text}, message="x\n", by=BOT) for text in (b"1", b"2")
    )

    mirror.push_branch(address, "mlops-bot/production", first, expected=None)
    with pytest.raises(BranchMoved):
        mirror.push_branch(address, "mlops-bot/production", second, expected=None)

    assert git(worktree.bare, "rev-parse", "mlops-bot/production") == first


def test_a_branch_that_is_protected_says_so_in_the_repositorys_words(
    mirror: GitMirror, address: str, worktree: Worktree, parent: str
) -> None:
    hook(worktree.bare, "update", "echo 'main is protected' >&2; exit 1")
    sha = mirror.write_commit(address, parent, {"a.yaml": b"1"}, message="x\n", by=BOT)

    with pytest.raises(PushRefused) as refused:
        mirror.push_branch(address, "main", sha, expected=parent)

    assert "does not take `main` from the bot: " in refused.value.problem
    assert "main is protected" in refused.value.problem
    assert refused.value.fix == "Give the bot the right to make branches there."
    assert git(worktree.bare, "rev-parse", "main") == parent


@pytest.mark.parametrize("name", ["a..b", "x y", "@{-1}", ""])
def test_a_name_that_is_none_reaches_no_git(mirror: GitMirror, address: str, parent: str, name: str) -> None:
    with pytest.raises(UserError, match="can not be the name of a branch"):
        mirror.push_branch(address, name, parent, expected=None)


def test_a_file_is_taken_out_and_its_folder_with_it(mirror: GitMirror, address: str, parent: str) -> None:
    files = {"models/a/x.yaml": b"1", "models/b.yaml": b"2"}
    before = mirror.write_commit(address, parent, files, message="x\n", by=BOT)
    mirror.push_branch(address, "main", before, expected=parent)

    after = mirror.write_commit(
        address, before, {"models/a/x.yaml": None, "models/none.yaml": None}, message="y\n", by=BOT
    )
    mirror.push_branch(address, "main", after, expected=before)

    assert mirror.changed_paths(address, before, after) == ["models/a/x.yaml"]
    assert mirror.paths(address, before, "models/**/*.yaml") == ["models/a/x.yaml", "models/b.yaml"]
    assert mirror.paths(address, after, "models") == ["models/b.yaml", "models/churn/train.py"]
