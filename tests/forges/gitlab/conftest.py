"""The bot's GitLab forge before a GitLab that is a fake at the level of HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.change import Change
from tests.contracts.git_workshop import Worktree
from tests.fakes.gitlab.records import MergeRequest
from tests.fakes.gitlab.workshop import Workshop


@pytest.fixture
def it(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    made.close()


@pytest.fixture
def tree(it: Workshop, tmp_path: Path) -> Worktree:
    """Ada's clone; `main` is pushed."""
    made = Worktree(tmp_path / "ada", it.project.bare)
    made.commit("Start", start="0")
    made.push("main")
    it.world.pushed(it.project, it.ada)
    return made


@pytest.fixture
def merge_request(it: Workshop, tree: Worktree) -> MergeRequest:
    tree.branch("better")
    tree.commit("Work on better", a="1")
    tree.push("better")
    it.world.pushed(it.project, it.ada)
    opened = it.world.open_merge_request(it.project, "better", it.ada)
    it.sent()
    return opened


@pytest.fixture
def change(it: Workshop, merge_request: MergeRequest) -> Change:
    found = it.change(merge_request)
    it.spent()
    return found
