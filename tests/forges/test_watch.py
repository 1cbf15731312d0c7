"""`mlops-bot watch`: repositories that lie elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.errors import UserError
from bot.forges.plain import folder
from tests.contracts.git_workshop import Worktree, git
from tests.contracts.plain_world import SECRET, PlainWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PlainWorld]:
    world = PlainWorld(tmp_path)
    yield world
    world.close()


def run(world: PlainWorld, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "MLOPS_BOT_HOME": str(world.home), "MLOPS_BOT_HOOK_SECRET": SECRET}
    script = "from bot.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], env=environ, capture_output=True, text=True, timeout=60
    )


def keys(world: PlainWorld) -> list[str]:
    return [repository.key for repository in world.forge.repositories()]


def test_a_bare_repository_elsewhere_is_watched_while_the_service_runs(world: PlainWorld, tmp_path: Path) -> None:
    elsewhere = Worktree(tmp_path / "elsewhere", tmp_path / "srv/churn.git")
    elsewhere.commit(a="1")
    elsewhere.push("main")

    done = run(world, "watch", str(elsewhere.bare))

    asked = json.loads(world.receiver.next().body)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Watching plain/churn.\nThe service looks at it now: http://")
    assert asked == {"repository": "plain/churn", "refs": [], "pusher": asked["pusher"]}
    assert keys(world) == ["plain/churn", "plain/models"]
    elsewhere.commit(a="2")
    elsewhere.push("main")
    assert json.loads(world.receiver.next().body)["repository"] == "plain/churn"


def test_without_a_service_it_is_watched_from_the_next_start(world: PlainWorld, tmp_path: Path) -> None:
    (world.home / "service-url").unlink()
    git(tmp_path, "init", "--quiet", "--bare", "churn.git")

    done = run(world, "watch", "--name", "other", str(tmp_path / "churn.git"))

    assert done.stdout == (
        "Watching plain/other.\nThe service is not running; it will look at it when it starts: mlops-bot serve\n"
    )
    assert keys(world) == ["plain/models", "plain/other"]


def test_a_repository_whose_hooks_lie_elsewhere_is_watched_with_a_word(world: PlainWorld, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "churn.git")
    git(tmp_path / "churn.git", "config", "core.hooksPath", "/srv/hooks")

    done = run(world, "watch", str(tmp_path / "churn.git"))

    assert done.returncode == 0
    assert done.stderr == (
        "Its setting `core.hooksPath` sends git elsewhere for hooks. "
        "Pushes are found too, but only every few minutes.\n"
    )


def test_a_working_tree_is_refused_with_what_to_do(world: PlainWorld) -> None:
    done = run(world, "watch", str(world.worktree.path))

    assert done.returncode == 2
    assert "is a working tree. The bot watches bare repositories, because those are what people push to." in done.stderr
    assert "git clone --bare" in done.stderr


def test_watching_twice_is_watching_once(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "churn.git")
    repositories = tmp_path / "repositories"

    names = [folder.watch(repositories, tmp_path / "churn.git") for _ in range(2)]

    assert names == ["churn", "churn"]
    assert [name for name, _ in folder.watched(repositories)] == ["churn"]


def test_names_are_given_once(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        git(tmp_path / place, "init", "--quiet", "--bare", "churn.git")
    folder.watch(tmp_path / "repositories", tmp_path / "a/churn.git")

    with pytest.raises(UserError, match="Another repository is watched as `churn`"):
        folder.watch(tmp_path / "repositories", tmp_path / "b/churn.git")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nothing", "There is no folder"),
        ("plain-folder", "is not a git repository"),
        ("tree/.git", "is a working tree"),
    ],
)
def test_what_can_not_be_watched_is_named(tmp_path: Path, path: str, problem: str) -> None:
    (tmp_path / "plain-folder").mkdir()
    git(tmp_path, "init", "--quiet", "tree")

    with pytest.raises(UserError, match=problem):
        folder.watch(tmp_path / "repositories", tmp_path / path)


@pytest.mark.parametrize("name", ["../x", "a/b", "-x", ".hidden", "a b", "<script>"])
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "churn.git")

    with pytest.raises(UserError, match="can not be a repository's name"):
        folder.watch(tmp_path / "repositories", tmp_path / "churn.git", name=name)
    assert folder.find(tmp_path / "repositories", f"plain/{name}") is None


def test_a_repository_that_is_gone_is_passed_over_and_its_name_is_free(tmp_path: Path) -> None:
    for name in ("one.git", "two.git"):
        git(tmp_path, "init", "--quiet", "--bare", name)
    folder.watch(tmp_path / "repositories", tmp_path / "one.git", name="churn")
    (tmp_path / "one.git").rename(tmp_path / "moved")

    gone = list(folder.watched(tmp_path / "repositories"))
    folder.watch(tmp_path / "repositories", tmp_path / "two.git", name="churn")

    assert gone == []
    assert list(folder.watched(tmp_path / "repositories")) == [("churn", tmp_path / "two.git")]
