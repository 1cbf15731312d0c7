"""A model repository, its data, and the service that watches them: all real, on this machine, in one folder."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from bot.domain.change import Change
from bot.domain.check import Check, CheckStatus
from bot.domain.result import Failure
from bot.domain.run import Phase, Run
from bot.ports.plain_records import Post
from bot.service import Service
from bot.settings import load_settings
from tests.journeys.environments import share_environments

T = TypeVar("T")

DEADLINE_S = 30.0

# Plain Python, so that a step costs what a Python start costs.
TRAIN = """
import json, os, pathlib
params = json.loads(pathlib.Path(os.environ["MLOPS_PARAMS"]).read_text())
rows = (pathlib.Path(os.environ["MLOPS_DATA_DIR"]) / "table.csv").read_text().splitlines()[1:]
print(f"training on {len(rows)} rows with {params}")
model = {"threshold": params["threshold"], "rows": len(rows)}
(pathlib.Path(os.environ["MLOPS_MODEL_DIR"]) / "model.json").write_text(json.dumps(model))
"""
EVALUATE = """
import json, os, pathlib
model = json.loads((pathlib.Path(os.environ["MLOPS_MODEL_DIR"]) / "model.json").read_text())
output = pathlib.Path(os.environ["MLOPS_OUTPUT_DIR"])
(output / "metrics.json").write_text(json.dumps({"accuracy": 1 - abs(model["threshold"] - 0.5), "loss": 0.2}))
(output / "plots").mkdir(exist_ok=True)
(output / "plots" / "confusion_matrix.csv").write_text("actual,predicted\\nyes,yes\\nno,no\\nno,yes\\n")
"""
PROJECT = """\
version: 1
models:
  churn:
    path: churn
    data: {path: data/table.csv}
    params:
      threshold: {type: number, default: 0.4, minimum: 0, maximum: 1}
    train: {run: python train.py, timeout: 1m}
    evaluate:
      run: python evaluate.py
      gates:
        - accuracy >= 0.8
        - accuracy >= base - 0.05
"""


@dataclass(frozen=True, slots=True)
class Workplace:
    """`bare` is watched; commits are made in `worktree` and pushed. `engine` is what services are told of theirs."""

    name: str
    home: Path
    bare: Path
    worktree: Path
    port: int = 0  # a free one each time
    engine: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"plain/{self.name}"

    def write(self, path: str, text: str) -> None:
        target = self.worktree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, branch: str, *options: str) -> None:
        self.git("push", "--quiet", *options, "origin", f"HEAD:refs/heads/{branch}")

    def git(self, *arguments: str) -> str:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", "-C", str(self.worktree), *arguments], check=True, capture_output=True, text=True, env=environ
        )
        return done.stdout.strip()

    def settings_environ(self) -> dict[str, str]:
        own = {"MLOPS_BOT_HOME": str(self.home), "MLOPS_BOT_PORT": str(self.port), "MLOPS_BOT_CONCURRENCY": "2"}
        return {**own, **self.engine}

    @contextmanager
    def service(self, **environ: str) -> Iterator[Running]:
        service = Service(load_settings({**self.settings_environ(), **environ}))
        with service.running():
            yield Running(service, self.key)


def make_workplace(folder: Path, *, home: Path | None = None, name: str = "models") -> Workplace:
    """A repository with one model and its data, committed and not pushed yet."""
    home = home or folder / "home"
    place = Workplace(name, home, home / "repositories" / f"{name}.git", folder / name)
    place.bare.parent.mkdir(parents=True, exist_ok=True)
    share_environments(home)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(place.bare)], check=True)
    subprocess.run(["git", "clone", "--quiet", str(place.bare), str(place.worktree)], check=True, capture_output=True)
    place.git("config", "user.name", "Ada")
    place.git("config", "user.email", "ada@example.com")
    place.git("checkout", "--quiet", "-B", "main")
    place.write("mlops.yaml", PROJECT)
    place.write("churn/train.py", TRAIN)
    place.write("churn/evaluate.py", EVALUATE)
    place.write("data/table.csv", "age,churned\n" + "".join(f"{age},{age % 2}\n" for age in range(20, 60)))
    place.commit("Add the churn model")
    return place


@dataclass(frozen=True, slots=True)
class Running:
    """A running service, and how to wait for what it does: for events with a deadline, never for a fixed time."""

    service: Service
    repository: str

    def wait_for(self, what: str, look: Callable[[], T | None], *, within_s: float = DEADLINE_S) -> T:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            found = look()
            if found is not None and found is not False:
                return found
            time.sleep(0.02)
        runs = [(run.model, run.sha[:7], str(run.phase)) for run in self.service.bot.store.runs(limit=20)]
        raise AssertionError(f"{what} did not come within {within_s:.0f} s; runs: {runs}")

    def runs(self, sha: str, model: str = "churn") -> list[Run]:
        """Newest request first."""
        return [
            run
            for run in self.service.bot.store.runs(repository=self.repository, limit=500)
            if run.sha == sha and run.model == model
        ]

    def ended(self, sha: str, model: str = "churn", *, count: int = 1) -> Run:
        """The newest run at a commit, once `count` runs are known and all have ended."""

        def look() -> Run | None:
            runs = self.runs(sha, model)
            return runs[0] if len(runs) >= count and all(run.phase.is_final for run in runs) else None

        return self.wait_for(f"the end of the run of {model} at {sha[:10]}", look)

    def posts(self, number: int) -> list[Post]:
        return self.service.bot.records.posts(self.repository, number)

    def comment(self, number: int, holding: str) -> str:
        """The living comment, once it holds these words and says of nothing that it still runs."""

        def look() -> str | None:
            bodies = [post.body for post in self.posts(number) if post.is_bot and "mlops-bot:change" in post.body]
            return bodies[0] if bodies and holding in bodies[0] and "●" not in bodies[0] else None

        return self.wait_for(f"a comment with {holding!r}", look)

    def say(self, number: int, body: str) -> str:
        """Write a comment as a person, and give the bot's answer to it."""
        known = {post.id for post in self.posts(number)}
        self.service.bot.comment(self.repository, number, "ada", body)

        def look() -> str | None:
            answers = [post.body for post in self.posts(number) if post.id not in known and post.is_bot]
            return answers[0] if answers else None

        return self.wait_for(f"an answer to {body!r}", look)

    def change(self, number: int) -> Change:
        change = self.service.bot.store.change(self.repository, number)
        assert change is not None
        return change

    def checks(self, sha: str, *, completed: bool = False) -> list[Check]:
        """The checks of a commit; with `completed` once there are some and all are."""

        def look() -> list[Check] | None:
            checks = self.service.bot.records.checks(self.repository, sha)
            ready = bool(checks) and all(check.status is CheckStatus.COMPLETED for check in checks)
            return checks if ready or not completed else None

        return self.wait_for(f"the checks of {sha[:10]}", look)

    def say_quietly(self, number: int, body: str) -> None:
        """Write a comment that needs no answer."""
        self.service.bot.comment(self.repository, number, "ada", body)

    def reaction_on(self, beginning: str) -> tuple[str, ...]:
        """The bot's reactions on the comment of change 1 that begins so."""
        return next(post.reactions for post in self.posts(1) if post.body.startswith(beginning))

    def failure_of(self, sha: str) -> Failure:
        """Why the run of a commit failed."""
        run = self.ended(sha)
        assert run.phase is Phase.FAILED
        assert run.result is not None
        assert run.result.failure is not None
        return run.result.failure
