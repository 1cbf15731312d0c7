"""The demo's repositories: made once, pushed once, and left as people change them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bot.demo import build


@pytest.fixture
def made(tmp_path: Path) -> build.DemoRepositories:
    repositories = tmp_path / "repositories"
    (repositories / "datasets.git").mkdir(parents=True)  # there already: DVC is not of interest here
    return build.build(tmp_path, repositories, say=lambda _words: None)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Nel", "-c", "user.email=nel@example.org")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_second_demo_finds_what_the_first_one_pushed(made: build.DemoRepositories) -> None:
    first = [build.push_first_commit(made), build.push_change(made)]
    second = [build.push_first_commit(made), build.push_change(made)]

    assert [(pushed.is_new, pushed.is_head) for pushed in first] == [(True, True), (True, True)]
    assert [(pushed.is_new, pushed.is_head) for pushed in second] == [(False, True), (False, True)]
    assert [pushed.sha for pushed in second] == [pushed.sha for pushed in first]
    assert second[1].sha == git(made.models, "rev-parse", "refs/heads/more-trees")


def test_a_demo_is_judged_by_its_own_commit_when_somebody_has_pushed_since(
    made: build.DemoRepositories, tmp_path: Path
) -> None:
    build.push_first_commit(made)
    own = build.push_change(made)
    git(tmp_path, "clone", "--quiet", str(made.models), "mine")
    git(tmp_path / "mine", "switch", "--quiet", "more-trees")
    git(tmp_path / "mine", "commit", "--quiet", "--allow-empty", "--message", "Try something")
    git(tmp_path / "mine", "push", "--quiet")

    again = build.push_change(made)
    assert again == build.Pushed(own.sha, is_new=False, is_head=False)
