"""`mlops-bot run` in a working tree: the pipeline, the report and the exit codes, without a service."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contracts.git_workshop import ENVIRONMENT, git

DEADLINE_S = 60.0
PROJECT = """
version: 1
models:
  churn:
    params: {depth: {type: integer, default: 3, minimum: 1}}
    train: {run: python train.py}
    evaluate:
      run: python evaluate.py
      gates: [accuracy >= 0.9]
"""
TRAIN = "import os, pathlib; pathlib.Path(os.environ['MLOPS_MODEL_DIR'], 'model.txt').write_text('a model')"
EVALUATE = """
import json, os, pathlib
params = json.loads(pathlib.Path(os.environ["MLOPS_PARAMS"]).read_text())
metrics = {"accuracy": 0.95 if params["depth"] < 9 else 0.5}
pathlib.Path(os.environ["MLOPS_OUTPUT_DIR"], "metrics.json").write_text(json.dumps(metrics))
"""


@dataclass(frozen=True)
class Tree:
    folder: Path
    home: Path

    def environ(self) -> dict[str, str]:
        return {**os.environ, **ENVIRONMENT, "HOME": str(self.home), "MLOPS_BOT_HOME": str(self.home)}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """In a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "run", *words, "-C", str(self.folder)],
            env=self.environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, err = process.communicate(timeout=DEADLINE_S)
        return process.returncode, out, err

    def commit(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name.replace("_", ".")).write_text(text)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--message", "work")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree(tmp_path / "work", tmp_path / "home")
    for folder in (made.folder, made.home):
        folder.mkdir()
    git(made.folder, "init", "--quiet", "--initial-branch=main")
    made.commit(mlops_yaml=PROJECT, train_py=TRAIN, evaluate_py=EVALUATE)
    return made


def test_a_good_result_is_printed_and_ends_with_0_and_the_same_again_is_reused(tree: Tree):
    code, out, err = tree.run("train")
    assert (code, err.strip()) == (0, "")
    assert "## ✓ `churn`: 1 gate passed" in out
    assert "| `accuracy` | 0.95 | `>= 0.9` | ✓ passed |  |" in out

    code, out, _ = tree.run("train", "churn")
    assert code == 0
    assert "reused" in out


def test_a_trial_with_other_values_is_not_what_the_next_run_is_held_against(tree: Tree):
    assert tree.run("train")[0] == 0
    tree.run("train", "churn", "depth=9")

    _, out, _ = tree.run("train", "churn", "--force")
    assert "Same params and data as `main`." in out


def test_a_missed_gate_ends_with_1_and_hints_at_no_service(tree: Tree):
    code, out, err = tree.run("train", "churn", "depth=9")

    assert (code, err.strip()) == (1, "")
    assert "## ✗ `churn`: 1 of 1 gate missed: accuracy >= 0.9" in out
    assert "/override" not in out


def test_what_is_not_committed_is_run_and_said_and_on_the_branch_itself_its_last_commits_gates_count(tree: Tree):
    (tree.folder / "mlops.yaml").write_text(PROJECT.replace("0.9]", "0.1]"))
    (tree.folder / "evaluate.py").write_text(EVALUATE.replace("0.95", "0.85"))
    committed = git(tree.folder, "rev-parse", "HEAD")

    code, out, err = tree.run("train")

    including = "including uncommitted changes of 2 files"
    assert (code, err.strip()) == (1, f"{including}; the gates that count are those of main at {committed[:10]}")
    assert "## ✗ `churn`: 1 of 1 gate missed: accuracy >= 0.9" in out


def test_on_another_branch_what_is_not_committed_is_counted(tree: Tree):
    git(tree.folder, "checkout", "--quiet", "-b", "better")
    (tree.folder / "notes.txt").write_text("not committed")

    code, _, err = tree.run("train")

    assert (code, err.strip()) == (0, "including uncommitted changes of 1 file")


def test_a_folder_without_a_commit_is_run_as_it_is(tmp_path: Path):
    tree = Tree(tmp_path / "work", tmp_path / "home")
    for folder in (tree.folder, tree.home):
        folder.mkdir()
    git(tree.folder, "init", "--quiet", "--initial-branch=main")
    for name, text in (("mlops.yaml", PROJECT), ("train.py", TRAIN), ("evaluate.py", EVALUATE)):
        (tree.folder / name).write_text(text)

    code, out, err = tree.run("train")

    assert (code, err.strip()) == (0, "including everything in this folder: nothing is committed yet")
    assert "## ✓ `churn`: 1 gate passed" in out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["train", "churn", "dept=4"], "There is no param `dept`. "),
        (["train", "churn", "depth=0"], "depth"),
        (["train", "chrun"], "There is no model `chrun`."),
        (["train", "a", "b"], "One model at a time, or none for all; found a, b."),
        (["evaluate"], "There is no trained model to evaluate."),
        (["evaluate", "depth=4"], "`evaluate` takes no params"),
        (["deploy"], "'deploy' is not one of 'train', 'evaluate'"),
    ],
)
def test_what_was_asked_for_wrongly_ends_with_2_and_the_fix(words: list[str], problem: str, tree: Tree):
    code, out, err = tree.run(*words)

    assert (code, out) == (2, "")
    assert problem.strip() in err
    assert "Traceback" not in err


def test_a_project_file_with_errors_ends_with_2_and_names_their_lines(tree: Tree):
    tree.commit(mlops_yaml=PROJECT.replace("params", "parms"))

    code, _, err = tree.run("train")

    assert code == 2
    assert "line 5" in err
    assert "`parms`" in err


def test_a_folder_that_is_no_git_repository_ends_with_2(tmp_path: Path):
    (tmp_path / "here").mkdir()

    code, _, err = Tree(tmp_path / "here", tmp_path).run("train")

    assert code == 2
    assert "is not in a git repository." in err
    assert "fix: Run `git init` there first." in err


def test_a_step_that_fails_ends_with_3_and_shows_its_log(tree: Tree):
    tree.commit(train_py="raise ValueError('no rows')")

    code, out, _ = tree.run("train")

    assert code == 3
    assert "## ✗ `churn`: `train` failed" in out
    assert "**ValueError: no rows**" in out
    assert "train.py:1" in out
    assert "/retry" not in out


def test_a_model_that_was_trained_here_is_evaluated_again_with_what_changed(tree: Tree):
    assert tree.run("train")[0] == 0
    tree.commit(evaluate_py=EVALUATE.replace("0.95", "0.91"))

    code, out, _ = tree.run("evaluate", "churn")

    assert code == 0
    assert "| `accuracy` | 0.91 |" in out


def test_ctrl_c_ends_the_run_with_everything_it_started(tree: Tree):
    marker = tree.folder / "pid.json"
    tree.commit(train_py=f"import json, os, time; json.dump(os.getpid(), open({str(marker)!r}, 'w')); time.sleep(300)")
    process = tree.start("train")
    deadline = time.monotonic() + DEADLINE_S
    while not (marker.exists() and marker.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)

    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 130
    assert "canceling" in err
    assert "## – `churn`: canceled by Ctrl-C" in out
    with pytest.raises(ProcessLookupError):
        os.kill(json.loads(marker.read_text()), 0)
