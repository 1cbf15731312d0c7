"""Makes the demo's two repositories: a dataset repository versioned with DVC, and a model repository.

The tables are scikit-learn's bundled breast-cancer and diabetes data (UCI; public domain), written out as CSV.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import UserError
from schemas import schema_bytes

SOURCE = Path(__file__).parent
FIRST_ROWS = {"breast_cancer.csv": 400, "diabetes.csv": 320}
SHIFTED_COLUMN = {"breast_cancer.csv": ("mean_radius", 1.08), "diabetes.csv": ("bmi", 1.08)}
BRANCH = "more-trees"
SECOND_BRANCH = "deeper-trees"
IDENTITY = ("-c", "user.name=Ada (demo)", "-c", "user.email=ada@example.com")
SCHEMA = "mlops.schema.json"


@dataclass(frozen=True, slots=True)
class DemoRepositories:
    """`datasets` and `models` are bare and watched; `worktree` is a clone of `models` for the demo's own commits."""

    datasets: Path
    models: Path
    worktree: Path


def build(home: Path, repositories: Path, *, say: Callable[[str], None]) -> DemoRepositories:
    """Create what is missing below `home` and `repositories`; what is there is kept. Nothing is pushed yet.

    Takes some seconds the first time, since it lets DVC itself track and push the two revisions.
    """
    made = DemoRepositories(repositories / "datasets.git", repositories / "models.git", home / "demo" / "models")
    repositories.mkdir(parents=True, exist_ok=True)
    if not made.datasets.exists():
        say("making the dataset repository: two revisions, versioned with DVC")
        _build_datasets(home / "demo", made.datasets)
    if not made.models.exists():
        say("making the model repository: a classifier and a regressor")
        _git(repositories, "init", "--quiet", "--bare", "--initial-branch=main", str(made.models))
    if not made.worktree.exists():
        unfinished = made.worktree.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _git(repositories, "clone", "--quiet", str(made.models), str(unfinished))
        unfinished.rename(made.worktree)
    return made


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the demo pushed, now or earlier. `is_head`: nobody has pushed to that branch since."""

    sha: str
    is_new: bool
    is_head: bool


def push_first_commit(made: DemoRepositories) -> Pushed:
    """Commit the sample models to `main` and push them, unless it was done before."""
    is_new = not _has_branch(made.models, "main")
    if is_new:
        _git(made.worktree, "checkout", "--quiet", "-B", "main")
        shutil.copytree(SOURCE / "models_repository", made.worktree, dirs_exist_ok=True, ignore=_IGNORED)
        (made.worktree / SCHEMA).write_bytes(schema_bytes(SCHEMA))  # `mlops.yaml` names it, for editors
        _commit(made.worktree, "Add the breast-cancer and diabetes models")
        _git(made.worktree, "push", "--quiet", "origin", "main")
    return _pushed(made, "main", is_new=is_new)


def push_change(made: DemoRepositories) -> Pushed:
    """Push a branch that changes a hyperparameter of each model: one for the better, one for the worse."""
    defaults = {"n_estimators: {type: integer": (40, 200), "alpha: {type: number": (0.1, 300)}
    return _push_branch(made, BRANCH, defaults, "Grow more trees, and regularise the regression more")


def push_second_change(made: DemoRepositories) -> Pushed:
    """Push another branch, which changes two hyperparameters of the classifier."""
    defaults = {"n_estimators: {type: integer": (40, 200), "max_depth: {type: integer": (6, 12)}
    return _push_branch(made, SECOND_BRANCH, defaults, "Let the trees grow deeper")


def _push_branch(
    made: DemoRepositories, branch: str, defaults: Mapping[str, tuple[float, float]], message: str
) -> Pushed:
    """`defaults` are those of params before and after, by how their line in `mlops.yaml` begins."""
    is_new = not _has_branch(made.models, branch)
    if is_new:
        _git(made.worktree, "checkout", "--quiet", "-B", branch, "origin/main")
        path = made.worktree / "mlops.yaml"
        text = path.read_text(encoding="utf-8")
        for param, (before, after) in defaults.items():
            text = text.replace(f"{param}, default: {before},", f"{param}, default: {after},")
        path.write_text(text, encoding="utf-8")
        _commit(made.worktree, message)
        _git(made.worktree, "push", "--quiet", "origin", branch)
    return _pushed(made, branch, is_new=is_new)


def _pushed(made: DemoRepositories, branch: str, *, is_new: bool) -> Pushed:
    ref = f"refs/heads/{branch}"
    head = _git(made.models, "rev-parse", ref)
    own = _git(made.worktree, "for-each-ref", "--format=%(objectname)", ref) or head
    return Pushed(own, is_new, is_head=own == head)


_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")


def _build_datasets(folder: Path, bare: Path) -> None:
    worktree, remote = folder / "datasets", folder / "dvc-remote"
    shutil.rmtree(worktree, ignore_errors=True)  # an earlier, unfinished attempt
    worktree.mkdir(parents=True)
    remote.mkdir(exist_ok=True)
    _git(worktree, "init", "--quiet", "--initial-branch=main")
    _dvc(worktree, "init", "--quiet")
    _dvc(worktree, "config", "core.analytics", "false")
    _dvc(worktree, "remote", "add", "--quiet", "--default", "folder", str(remote))
    for tag, write in (("v1", _write_first_rows), ("v2", _write_shifted_rows)):
        for name in FIRST_ROWS:
            write(SOURCE / "data" / name, worktree / name)
        _dvc(worktree, "add", "--quiet", *FIRST_ROWS)
        _dvc(worktree, "push", "--quiet")
        _commit(worktree, f"Data {tag}")
        _git(worktree, "tag", tag)
    unfinished = bare.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    _git(worktree, "clone", "--quiet", "--bare", str(worktree), str(unfinished))
    unfinished.rename(bare)


def _write_first_rows(source: Path, target: Path) -> None:
    header, *rows = source.read_text(encoding="utf-8").splitlines(keepends=True)
    target.write_text("".join([header, *rows[: FIRST_ROWS[source.name]]]), encoding="utf-8")


def _write_shifted_rows(source: Path, target: Path) -> None:
    """All rows, with one column measured by another instrument that reads a little high."""
    column, factor = SHIFTED_COLUMN[source.name]
    header, *rows = [line.split(",") for line in source.read_text(encoding="utf-8").splitlines()]
    index = header.index(column)
    for row in rows:
        row[index] = f"{float(row[index]) * factor:g}"
    target.write_text("".join(",".join(row) + "\n" for row in [header, *rows]), encoding="utf-8")


def _commit(worktree: Path, message: str) -> None:
    """Also when an earlier attempt was killed after it had committed."""
    _git(worktree, "add", "--all")
    if _git(worktree, "status", "--porcelain"):
        _git(worktree, *IDENTITY, "commit", "--quiet", "--message", message)


def _has_branch(repository: Path, branch: str) -> bool:
    return bool(_git(repository, "for-each-ref", f"refs/heads/{branch}"))


def _git(folder: Path, *arguments: str) -> str:
    return _run(folder, "git", *arguments)


def _dvc(folder: Path, *arguments: str) -> None:
    _run(folder, sys.executable, "-m", "dvc", *arguments)


def _run(folder: Path, *command: str) -> str:
    """The demo's own repositories do not depend on how this machine's git is set up: signing, hooks, templates."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise UserError(
            f"`{command[0]}` is not installed.", "Install it, for example: `apt-get install git`."
        ) from error
    except subprocess.CalledProcessError as error:
        words = error.stderr.strip()[-500:]
        raise UserError(f"The demo's repositories could not be made: {words}", "Try `--reset`.") from error
    return done.stdout.strip()
