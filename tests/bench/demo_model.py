"""The demo's breast-cancer model in a repository of its own, its environment, and its bare scripts to compare with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import yaml

from bot.demo import build

MODEL = "breast-cancer"
FOLDER = f"models/{MODEL}"


@dataclass
class ModelRepository:
    """`bare` is watched when it lies in a service's `repositories`; commits are made in `worktree`."""

    bare: Path
    worktree: Path
    trees: int = 40

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def commit_new_trees(self) -> str:
        """Something to train anew, that takes as long as what was before."""
        self.trees += 1
        path = self.worktree / "mlops.yaml"
        text = re.sub(r"(n_estimators:.*?default: )\d+", rf"\g<1>{self.trees}", path.read_text())
        path.write_text(text)
        return self.commit(f"Grow {self.trees} trees")

    def push(self, branch: str, remote: str = "origin") -> float:
        """Gives how long the push took, in seconds."""
        began = perf_counter()
        self.git("push", "--quiet", remote, f"HEAD:refs/heads/{branch}")
        return perf_counter() - began

    def git(self, *arguments: str) -> str:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", "-C", str(self.worktree), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout.strip()


def make_repository(home: Path) -> ModelRepository:
    """The demo's repositories, with one of its two models; nothing is pushed yet."""
    made = build.build(home, home / "repositories", say=lambda _words: None)
    repository = ModelRepository(made.models, made.worktree)
    repository.git("config", "user.name", "Ada")
    repository.git("config", "user.email", "ada@example.com")
    repository.git("checkout", "--quiet", "-B", "main")
    source = build.SOURCE / "models_repository"
    for path in (source / FOLDER).glob("*.*"):
        target = repository.worktree / FOLDER / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    text = (source / "mlops.yaml").read_text().partition("\n  diabetes:")[0]
    text = text.replace("../datasets.git", str(made.datasets))  # a working tree lies elsewhere than its origin
    (repository.worktree / "mlops.yaml").write_text(text + "\n")
    repository.commit("Add the breast-cancer model")
    return repository


@dataclass(frozen=True, slots=True)
class Bare:
    """The scripts as a data scientist starts them by hand: no checkout, no log, nothing kept."""

    python: Path
    folder: Path
    data: Path
    split: Mapping[str, str]

    def run(self, params: Mapping[str, object]) -> float:
        """Seconds for `train.py` and `evaluate.py`."""
        with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-bare-") as scratch:
            environ = self.environ(Path(scratch), params)
            began = perf_counter()
            for script in ("train.py", "evaluate.py"):
                command = [str(self.python), script]
                subprocess.run(command, cwd=self.folder, env=environ, check=True, stdout=subprocess.DEVNULL)
            return perf_counter() - began

    def environ(self, scratch: Path, params: Mapping[str, object]) -> dict[str, str]:
        for name in ("model", "output"):
            (scratch / name).mkdir(exist_ok=True)
        (scratch / "params.json").write_text(json.dumps(dict(params)))
        return {
            "PATH": os.environ["PATH"],
            "MLOPS_DATA_DIR": str(self.data),
            "MLOPS_PARAMS": str(scratch / "params.json"),
            "MLOPS_MODEL_DIR": str(scratch / "model"),
            "MLOPS_OUTPUT_DIR": str(scratch / "output"),
            **self.split,
        }


def bare_scripts(repository: ModelRepository, python: Path, scratch: Path) -> Bare:
    """With the interpreter of the environment that the bot has built, so that both run the very same code."""
    model = yaml.safe_load((repository.worktree / "mlops.yaml").read_text())["models"][MODEL]
    data = scratch / "data"
    data.mkdir(parents=True)
    build._write_first_rows(build.SOURCE / "data" / "breast_cancer.csv", data / "breast_cancer.csv")
    split = {
        "MLOPS_SPLIT_TEST": str(model["split"]["test"]),
        "MLOPS_SPLIT_SEED": str(model["split"]["seed"]),
        **model["env"],
    }
    return Bare(python, repository.worktree / FOLDER, data, split)


def params_with(trees: int) -> dict[str, object]:
    return {"n_estimators": trees, "max_depth": 6, "criterion": "gini"}


def environment_python(home: Path) -> Path:
    """The interpreter of the only environment in a service's cache."""
    (python,) = (home / "cache").glob("environments/*/bin/python")
    return python


def package_cache() -> dict[str, str]:
    """The machine's own, so that a home folder of its own does not mean to fetch scikit-learn once more."""
    return {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")}


def mlops_bot(*arguments: str, home: Path, folder: Path) -> float:
    """Seconds that a command took."""
    environ = {**os.environ, **package_cache(), "MLOPS_BOT_HOME": str(home)}
    began = perf_counter()
    command = [str(Path(sys.executable).with_name("mlops-bot")), *arguments]
    done = subprocess.run(command, cwd=folder, env=environ, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"mlops-bot {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return perf_counter() - began
