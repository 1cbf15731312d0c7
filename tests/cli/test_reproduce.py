"""`mlops-bot reproduce`: a registered version is trained again in a clone, with real git, kfp and tags."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.domain.change import Repository
from bot.domain.result import Metric
from bot.domain.version import VersionLock
from bot.mirror import GitMirror
from bot.registry import GitRegistry
from tests.contracts.git_workshop import ENVIRONMENT, Worktree, git
from tests.registry.samples import lock

DEADLINE_S = 90.0
AT = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
PROJECT = """
version: 1
models:
  churn:
    data: {path: rows.csv}
    params: {depth: {type: integer, default: 3}}
    train: {run: python train.py}
    evaluate:
      run: python evaluate.py
      gates: [accuracy >= 0.99]
"""
TRAIN = """
import json, os, pathlib
rows = pathlib.Path(os.environ["MLOPS_DATA_DIR"], "rows.csv").read_text().split()
depth = json.loads(pathlib.Path(os.environ["MLOPS_PARAMS"]).read_text())["depth"]
assert depth != 13, "thirteen brings no luck"
pathlib.Path(os.environ["MLOPS_MODEL_DIR"], "model.txt").write_text(f"{len(rows)} rows, depth {depth}")
"""
EVALUATE = """
import json, os, pathlib
depth = json.loads(pathlib.Path(os.environ["MLOPS_PARAMS"]).read_text())["depth"]
rows = pathlib.Path(os.environ["MLOPS_DATA_DIR"], "rows.csv").read_text().split()
metrics = {"accuracy": round(len(rows) / 10 + depth / 100, 4)}
pathlib.Path(os.environ["MLOPS_OUTPUT_DIR"], "metrics.json").write_text(json.dumps(metrics))
"""


@dataclass(frozen=True)
class Registered:
    """A repository whose first commit was registered; what followed would come out otherwise."""

    clone: Path
    home: Path
    registry: GitRegistry
    repository: Repository
    sha: str

    def register(self, **changes: object) -> VersionLock:
        made = replace(lock_of_churn(self.sha), **changes)  # type: ignore[arg-type]  # names are those of the fields
        self.registry.register(self.repository, made, card="", by="ada", at=AT)
        git(self.clone, "fetch", "--quiet", "--tags")
        return made

    def reproduce(self, *words: str) -> tuple[int, str, str]:
        process = subprocess.run(
            [sys.executable, "-m", "bot.cli", "reproduce", *words, "--repository", str(self.clone)],
            env={**os.environ, **ENVIRONMENT, "HOME": str(self.home), "MLOPS_BOT_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return process.returncode, process.stdout, process.stderr


def lock_of_churn(sha: str) -> VersionLock:
    return lock(
        model="churn",
        sha=sha,
        model_path=".",
        data_address="",
        data_sha=sha,
        data_path="rows.csv",
        params={"depth": 5},
        split={},
        environment={"python": "", "requirements": "", "image": ""},
        metrics={"accuracy": Metric(0.45)},
        model_digest="sha256:other",
    )


@pytest.fixture
def registered(tmp_path: Path) -> Registered:
    work = Worktree(tmp_path / "work", tmp_path / "models.git")
    files = {"mlops.yaml": PROJECT, "train.py": TRAIN, "evaluate.py": EVALUATE, "rows.csv": "a\nb\nc\nd\n"}
    for name, text in files.items():
        work.write(name, text)
    sha = work.commit("Train churn")
    work.write("rows.csv", "a\n")
    work.write("train.py", "raise SystemExit('this is not what was registered')")
    work.commit("Break it")
    work.push("main")
    home = tmp_path / "home"
    home.mkdir()
    git(tmp_path, "clone", "--quiet", str(work.bare), str(tmp_path / "clone"))
    mirror = GitMirror(tmp_path / "mirror", allow_local=True)
    repository = Repository("plain/models", str(work.bare), "main")
    return Registered(tmp_path / "clone", home, GitRegistry(mirror), repository, sha)


def test_a_version_is_trained_at_its_commit_with_its_data_and_params_and_comes_out_the_same(registered: Registered):
    registered.register()

    code, out, err = registered.reproduce("churn@v1.3.0")

    assert code == 0, err
    assert f"training churn@v1.3.0 again at {registered.sha[:10]}, with rows.csv at {registered.sha[:10]}" in err
    table = [line.split() for line in out.splitlines()]
    assert table[:2] == [["churn@v1.3.0", "now"], ["accuracy", "0.45", "0.45", "equal"]]
    assert table[2][:3] == ["model", "digest", "sha256:other"]
    assert table[2][-1] == "differs"
    assert "churn@v1.3.0 came out with the same metrics. The model's files differ" in out
    assert "another version of the pipeline" in out

    digest = table[2][3]
    assert git(registered.clone, "status", "--porcelain") == ""
    assert digest.startswith("sha256:")


def test_a_metric_that_comes_out_otherwise_ends_with_1_and_says_by_how_much(registered: Registered):
    registered.register(metrics={"accuracy": Metric(0.47), "auc": Metric(0.9)})

    code, out, _ = registered.reproduce("churn@v1.3.0", "--json")

    told = json.loads(out)
    assert code == 1
    assert (told["version"], told["is_equal"], told["is_same_model"]) == ("churn@v1.3.0", False, False)
    assert told["metrics"] == [
        {"name": "accuracy", "locked": 0.47, "now": 0.45, "is_equal": False},
        {"name": "auc", "locked": 0.9, "now": None, "is_equal": False},
    ]


def test_a_training_that_fails_ends_with_3_and_its_last_words(registered: Registered):
    registered.register(params={"depth": 13})

    code, out, err = registered.reproduce("churn@v1.3.0")

    assert (code, out) == (3, "")
    assert "It failed at train: " in err
    assert "thirteen brings no luck" in err


def test_what_is_no_version_here_is_said_with_what_there_is(registered: Registered):
    registered.register()

    codes, said = zip(
        *[(code, err) for code, _, err in map(registered.reproduce, ("churn", "churn@v9.0.0"))], strict=True
    )

    assert codes == (2, 2)
    assert "`churn` is no version." in said[0]
    assert "such as `churn@v1.2.0`" in said[0]
    assert "There is no tag `churn@v9.0.0` here." in said[1]
    assert "`git fetch --tags` brings those of the remote. There are `churn@v1.3.0`." in said[1]
