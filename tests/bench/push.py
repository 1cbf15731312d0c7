"""`git push` to posted report, against the bare scripts; nothing changed; and what the hook adds to a push."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.bench.demo_model import (
    ModelRepository,
    bare_scripts,
    environment_python,
    make_repository,
    mlops_bot,
    package_cache,
    params_with,
)
from tests.bench.served import Served, serving, settle, wait_for
from tests.bench.table import Row, overhead, say

REPOSITORY = "plain/models"
BRANCH = "more-trees"
FIRST_WITHIN_S = 300.0  # builds the environment

_ENDED = "SELECT id FROM runs WHERE sha = ? AND phase IN ('succeeded', 'reused')"
_COMMENT = "SELECT body FROM plain_posts WHERE repository = ? AND is_bot AND body LIKE '%mlops-bot:change%'"
_CHECK = "SELECT 1 FROM plain_checks WHERE repository = ? AND sha = ?"


def measure(*, quick: bool) -> list[Row]:
    rounds = 3 if quick else 7
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as folder:
        home = Path(folder) / "home"
        repository = make_repository(home)
        with serving(home, package_cache()) as served:
            say("  the first run builds the environment")
            _first_pushes(repository, served)
            settle(served)
            rows = _trained(repository, served, rounds)
            rows += _reused(repository, served, rounds)
            up = _pushes(repository, rounds)
        rows += _hook(repository, Path(folder) / "unwatched.git", up, rounds)
        return rows


def _first_pushes(repository: ModelRepository, served: Served) -> None:
    """One on the branch that is the base, and one that opens the change."""
    repository.push("main")
    sha = repository.git("rev-parse", "HEAD")
    wait_for("the first run", lambda: served.rows(_ENDED, sha), within_s=FIRST_WITHIN_S)
    repository.git("checkout", "--quiet", "-B", BRANCH)
    _until_posted(repository, served, repository.commit_new_trees())


def _trained(repository: ModelRepository, served: Served, rounds: int) -> list[Row]:
    bare = bare_scripts(repository, environment_python(served.home), served.home.parent)
    posted, bares = [], []
    for _ in range(rounds):
        sha = repository.commit_new_trees()
        posted.append(_until_posted(repository, served, sha))
        bares.append(bare.run(params_with(repository.trees)))
    return [overhead("git push to posted report, above bare", posted, bares, goal=1.0)]


def _reused(repository: ModelRepository, served: Served, rounds: int) -> list[Row]:
    took = []
    for number in range(rounds):
        (repository.worktree / "README.md").write_text(f"Nothing that a model depends on, {number}.\n")
        sha = repository.commit("Explain")
        took.append(_until_posted(repository, served, sha))
    return [Row("nothing changed: git push to posted comment", median(took), "s", 0.3)]


def _until_posted(repository: ModelRepository, served: Served, sha: str) -> float:
    """Seconds from the start of the push until the comment shows the end of the commit's run."""
    began = perf_counter()
    repository.push(BRANCH)

    def is_posted() -> bool:
        ended = served.rows(_ENDED, sha)
        if not ended:
            return False
        bodies = [str(body) for (body,) in served.rows(_COMMENT, REPOSITORY)]
        is_shown = any(sha[:7] in body and "●" not in body for body in bodies)
        return is_shown and bool(served.rows(_CHECK, REPOSITORY, sha))

    wait_for(f"the report of {sha[:7]}", is_posted, within_s=FIRST_WITHIN_S)
    return perf_counter() - began


def _pushes(repository: ModelRepository, rounds: int, remote: str = "origin") -> list[float]:
    """To a branch of their own, of commits that skip everything: only the push itself is of interest."""
    took = []
    for number in range(rounds):
        repository.commit(f"Nothing {remote} {number} [skip ci]")
        took.append(repository.push("quiet", remote))
    return took


def _hook(repository: ModelRepository, unwatched: Path, up: list[float], rounds: int) -> list[Row]:
    """The same pushes with the service down, and to a copy of the repository that has no hook."""
    subprocess.run(["git", "clone", "--quiet", "--bare", str(repository.bare), str(unwatched)], check=True)
    repository.git("remote", "add", "unwatched", str(unwatched))
    down = _pushes(repository, rounds)
    without = _pushes(repository, rounds, "unwatched")
    return [
        _delay("hook's delay of a push, service up", up, without),
        _delay("hook's delay of a push, service down", down, without),
    ]


def _delay(name: str, with_hook: list[float], without: list[float]) -> Row:
    bare = median(without)
    return Row(
        name, median(with_hook) - bare, "s", 0.2, reference=bare, reference_name="no hook",
        ratio=median(with_hook) / bare,
    )  # fmt: skip


def measure_run_train(*, quick: bool) -> list[Row]:
    """`mlops-bot run train` in a working tree, warm."""
    rounds = 3 if quick else 7
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as folder:
        home = Path(folder) / "home"
        repository = make_repository(home)
        run: Callable[[int], float] = lambda trees: mlops_bot(  # noqa: E731 - two lines, used twice
            "run", "train", f"n_estimators={trees}", home=home, folder=repository.worktree
        )
        say("  the first run builds the environment")
        run(40)
        bare = bare_scripts(repository, environment_python(home), home.parent)
        totals, bares = [], []
        for trees in range(41, 41 + rounds):
            totals.append(run(trees))
            bares.append(bare.run(params_with(trees)))
        return [overhead("mlops-bot run train, above bare", totals, bares, goal=1.2)]
