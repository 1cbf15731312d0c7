"""Runs the steps as an engine would, on real git and DVC repositories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from bot.domain.result import Failure, Result
from bot.result_file import parse_result
from pipelines.arguments import pack
from pipelines.steps.evaluate import evaluate_step
from pipelines.steps.fetch import fetch_step, fetch_with_model_step
from pipelines.steps.report import report_step
from pipelines.steps.train import train_step

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "result.schema.json").read_text())

GOOD_TRAIN = """\
import os
with open(os.path.join(os.environ["MLOPS_MODEL_DIR"], "model.txt"), "w") as model:
    model.write("weights")
"""
GOOD_EVALUATE = """\
import json, os
with open(os.path.join(os.environ["MLOPS_OUTPUT_DIR"], "metrics.json"), "w") as metrics:
    json.dump({"accuracy": 0.97, "f1": {"value": 0.9, "std": 0.01}}, metrics)
"""
_IDENTITY = {
    f"GIT_{who}_{what}": f"{what.lower()}@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
GIT_ENVIRONMENT = {**os.environ, **_IDENTITY, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        env=GIT_ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def commit(folder: Path, files: Mapping[str, str]) -> str:
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "a commit")
    return git(folder, "rev-parse", "HEAD")


_WITH_DVC = """\
import sys
from dvc.repo import Repo
repo = Repo.init()
with repo.config.edit() as config:
    config["core"] = {"remote": "storage", "analytics": False, "check_update": False}
    config["remote"] = {"storage": {"url": sys.argv[1]}}
repo.close()
repo = Repo()
repo.add(["table.csv", "images"])
repo.push()
repo.close()
"""


def make_data_repository(folder: Path) -> None:
    """`table.csv` and `images/` tracked by DVC in a folder remote, `plain.csv` in git. The clone has no DVC cache."""
    source = folder / "source"
    commit(source, {"plain.csv": "a\n1\n"})
    (source / "table.csv").write_text("x,y,name\n1,2.5,ann\n3,,bob\n")
    (source / "images" / "sub").mkdir(parents=True)
    (source / "images" / "one.txt").write_text("one")
    (source / "images" / "sub" / "two.txt").write_text("two")
    run_dvc_script(source, _WITH_DVC, "../remote")
    commit(source, {})
    git(folder, "clone", "--quiet", "--bare", "source", "datasets.git")


def run_dvc_script(folder: Path, script: str, *arguments: str) -> None:
    environment = {**GIT_ENVIRONMENT, "DVC_NO_ANALYTICS": "1"}
    subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, env=environment, check=True, capture_output=True
    )


@dataclass(frozen=True)
class DataRepository:
    folder: Path

    @property
    def address(self) -> str:
        return str(self.folder / "datasets.git")

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def remote(self) -> Path:
        return self.folder / "remote"

    @property
    def sha(self) -> str:
        return git(self.source, "rev-parse", "HEAD")

    def commit(self, files: Mapping[str, str]) -> str:
        sha = commit(self.source, files)
        git(self.source, "push", "--quiet", self.address, "HEAD:main")
        return sha


@dataclass
class Workshop:
    """One run: `run()` carries out the steps of `train` one after the other, as Kubeflow would."""

    folder: Path
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.repository = self.folder / "model-repository"
        self.prefix = self.folder / "runs" / "run-1"
        self.arguments = {
            "run_id": "run-1",
            "run_prefix": self.prefix.as_uri(),
            "callback_url": "",
            "repository": "plain/models",
            "clone_address": str(self.repository),
            "sha": "",
            "model": "churn",
            "model_path": "models/churn",
            "data_address": "",
            "data_sha": "",
            "data_path": "",
            "params": {},
            "split": {},
            "environment": {"python": "", "requirements": "", "image": ""},
            "env": {},
            "secrets": [],
            "train": command("python train.py"),
            "evaluate": command("python evaluate.py"),
            "lineage": {"run_key": "key-1", "pipeline_version": "v1"},
        }

    def write(self, files: Mapping[str, str] | None = None, *, train: str = GOOD_TRAIN, evaluate: str = "") -> None:
        """Commits the model's code; further files are relative to the repository's root."""
        own = {"models/churn/train.py": train, "models/churn/evaluate.py": evaluate or GOOD_EVALUATE}
        self.arguments["sha"] = commit(self.repository, {**own, **(files or {})})

    def use_data(self, data: DataRepository, path: str) -> None:
        self.arguments |= {"data_address": data.address, "data_sha": data.sha, "data_path": path}

    def run(self, **changes: Any) -> Result:
        given = pack({**self.arguments, **changes})
        artifacts = self.folder / "artifacts"
        artifacts.mkdir(exist_ok=True)
        places = {"code_file": str(artifacts / "code"), "data_folder": str(artifacts / "data")}
        model = str(artifacts / "model")
        state = "SUCCEEDED"
        try:
            metadata = fetch_step(**places, **_of(given, *FETCH))
            own_path = metadata.get("own_path", "")
            shared = {**places, "data_own_path": own_path, "model_folder": model}
            train_step(**shared, **_of(given, *USER, "train", "evaluate"))
            evaluate_step(**shared, **_of(given, *USER, "evaluate"))
        except SystemExit:
            state = "FAILED"
        return self.report(given, state)

    def evaluate(self, model_prefix: str, model_digest: str, **changes: Any) -> Result:
        given = pack({**self.arguments, **changes})
        artifacts = self.folder / "artifacts"
        artifacts.mkdir(exist_ok=True)
        places = {"code_file": str(artifacts / "code"), "data_folder": str(artifacts / "data")}
        model = {"model_folder": str(artifacts / "fetched-model")}
        earlier = {"model_prefix": model_prefix, "model_digest": model_digest}
        state = "SUCCEEDED"
        try:
            fetch_with_model_step(**places, **model, **earlier, **_of(given, *FETCH))
            evaluate_step(**places, **model, data_own_path="", **_of(given, *USER, "evaluate"))
        except SystemExit:
            state = "FAILED"
        return self.report(given, state, pipeline="evaluate")

    def report(self, given: Mapping[str, Any], state: str, *, pipeline: str = "train", error: str = "") -> Result:
        summary = str(self.folder / "artifacts" / "summary.html")
        report_step(
            pipeline=pipeline, final_state=state, final_error=error, summary_file=summary, **_of(given, *REPORT)
        )
        return self.result()

    def result(self) -> Result:
        content = (self.prefix / "result.json").read_bytes()
        jsonschema.validate(json.loads(content), SCHEMA)
        return parse_result(content)

    def log(self, step: str) -> str:
        return (self.prefix / "logs" / f"{step}.log").read_text()


FETCH = ("run_prefix", "clone_address", "sha", "model_path", "data_address", "data_sha", "data_path")
USER = ("run_prefix", "model_path", "params", "split", "environment", "env", "secrets")
REPORT = (
    "run_id", "run_prefix", "callback_url", "repository", "sha", "model", "data_address", "data_sha", "data_path",
    "params", "split", "lineage",
)  # fmt: skip


def failure_of(result: Result) -> Failure:
    assert result.failure is not None
    return result.failure


def command(run: str, *, timeout_s: int = 60, memory_bytes: int = 0) -> dict[str, Any]:
    return {"run": run, "timeout_s": timeout_s, "memory_bytes": memory_bytes, "cpu": 0.0, "gpu": 0}


def _of(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names}
