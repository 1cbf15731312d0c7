"""The use cases with everything real around them but the engine: SQLite, git, the plain-git forge, artifacts."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

from bot.artifacts import open_artifacts
from bot.domain.change import Change, ChangeSeen, PushReceived, Repository
from bot.domain.check import Check
from bot.domain.links import Links
from bot.domain.result import Failure, Metric, Result
from bot.domain.run import EngineState, Run
from bot.mirror import GitMirror
from bot.ports.plain_records import Post
from bot.ports.store import Claim, Kind, LeaseLost
from bot.registry import GitRegistry
from bot.result_file import render_result
from bot.store import SqlPlainRecords, open_store
from bot.usecases import deliveries, feedback_loop, repository_loop, run_loop
from bot.usecases.deployments import loop as deployment_loop
from bot.usecases.deployments import versions as version_loop
from bot.usecases.events import handle_event
from bot.usecases.world import World
from bot.wiring.shared import row_locks
from tests.contracts.git_workshop import Worktree
from tests.fakes.engine import FakeEngine
from tests.fakes.forge import RecordingForge
from tests.fakes.serving import FakeServing

KEY = "plain/models"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LANES: dict[Kind, tuple[ModuleType, str]] = {
    Kind.DELIVERY: (deliveries, "delivery_tasks"),
    Kind.REPOSITORY: (repository_loop, "repository_tasks"),
    Kind.RUN: (run_loop, "run_tasks"),
    Kind.VERSION: (version_loop, "version_tasks"),
    Kind.DEPLOYMENT: (deployment_loop, "deployment_tasks"),
    Kind.FEEDBACK: (feedback_loop, "feedback_tasks"),
}
MODEL = """
  {name}:
    path: {name}
    params: {{depth: {{type: integer, default: 3}}}}
    train: {{run: python train.py}}
    evaluate:
      run: python evaluate.py
      gates: [{gates}]
"""


def project(*names: str, gates: str = "accuracy >= 0.9") -> str:
    return "version: 1\nmodels:" + "".join(MODEL.format(name=name, gates=gates) for name in names or ("churn",))


@cache
def migrated_database() -> Path:
    """Migrating takes longer than the rest of a test, so it is done once for each worker."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-bot-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_store(f"sqlite:///{folder / 'bot.sqlite3'}").close()
    return folder / "bot.sqlite3"


class Place:
    """A watched repository with one model on `main`; the clock stands still until it is set on."""

    def __init__(self, folder: Path, *, places: int | None = None) -> None:
        self.now = NOW
        self._commits = 0
        shutil.copyfile(migrated_database(), folder / "bot.sqlite3")
        self.store = open_store(f"sqlite:///{folder / 'bot.sqlite3'}")
        self.records = SqlPlainRecords(self.store.database)
        self.git = GitMirror(folder, allow_local=True)
        self.engine = FakeEngine(places=places)
        self.serving = FakeServing()
        self.worktree = Worktree(folder / "work", folder / "repositories" / "models.git")
        self.forge = RecordingForge(
            folder / "repositories",
            home=folder,
            records=self.records,
            git=self.git,
            hook_secret="secret",
            clock=lambda: self.now,
        )
        self.artifacts = open_artifacts((folder / "artifacts").as_uri())
        self.world = World(
            clock=lambda: self.now,
            store=self.store,
            forges={"plain": self.forge},
            engine=self.engine,
            artifacts=self.artifacts,
            git=self.git,
            links=Links("http://bot"),
            callback_links=None,
            callback_token=lambda run_id: f"token of {run_id}",
            secrets_of=lambda _repository, _names: {},
            credential_of=lambda _address: None,
            pipeline_versions={"train": "1", "evaluate": "1", "deploy": "1"},
            admission=Lock(),
            turn_of=row_locks(),
            registry=GitRegistry(self.git),
            serving=self.serving,
        )
        self.artifacts_folder = folder / "artifacts"

    @property
    def repository(self) -> Repository:
        return self.forge.repositories()[0]

    # -- people
    def commit(self, branch: str = "main", message: str = "", **files: str) -> str:
        """Commit and push, without anybody being told. `__` in a name is a slash."""
        is_there = self.worktree.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False)
        if is_there:
            self.worktree.git("checkout", "--quiet", branch)
        elif branch != "main":
            self.worktree.branch(branch)
        names = {name.replace("__", "/").replace("_yaml", ".yaml").replace("_py", ".py"): files[name] for name in files}
        self._commits += 1
        sha = self.worktree.commit(message or f"Work {self._commits}", **names)
        self.worktree.push(branch)
        return sha

    def start(self, *names: str, gates: str = "accuracy >= 0.9") -> str:
        """The first commit, trained: the base."""
        files = {f"{name}__train_py": f"print('{name}')" for name in names or ("churn",)}
        sha = self.commit(mlops_yaml=project(*names, gates=gates), **files)
        self.look()
        return sha

    def say(self, body: str, *, author: str = "ada", number: int = 1) -> Post:
        """Write a comment, of which a webhook tells."""
        self.store.add_deliveries([self.forge.say(KEY, number, author, body)])
        return [post for post in self.records.posts(KEY, number) if not post.is_bot][-1]

    # -- the loop
    def look(self) -> None:
        """Compare the repository with its forge, and converge what follows."""
        repository_loop.watch_all(self.world)
        with self.store.transaction() as tx:
            tx.wake(Kind.REPOSITORY, KEY, now=self.now)
        self.converge()

    def converge(self, *kinds: Kind) -> None:
        """Until nothing is due."""
        is_busy = True
        while is_busy:
            turns = [self._turn(kind) for kind in kinds or LANES]
            is_busy = any(turns)

    def claims(self, kind: Kind) -> list[Claim]:
        return self.store.claim(kind, limit=50, lease_s=120, now=self.now)

    def tasks(self, kind: Kind, claims: Sequence[Claim]) -> list[Callable[[], None]]:
        module, name = LANES[kind]
        made: list[Callable[[], None]] = getattr(module, name)(claims, self.world)
        return made

    def _turn(self, kind: Kind) -> bool:
        claims = self.claims(kind)
        for task in self.tasks(kind, claims):
            try:
                task()
            except LeaseLost:
                continue
        return bool(claims)

    def later(self, seconds: float) -> None:
        self.converge()
        self.now += timedelta(seconds=seconds)
        self.converge()

    # -- events, as a webhook or a look brings them
    def pushed(self, before: str | None, after: str | None, branch: str = "main") -> None:
        handle_event(PushReceived(self.repository, branch, before, after, "ada"), self.world)

    def seen(self, change: Change) -> None:
        handle_event(ChangeSeen(self.repository, change), self.world)

    # -- what is there
    @property
    def change(self) -> Change:
        found = self.store.change(KEY, 1)
        assert found is not None
        return found

    def runs(self, sha: str | None = None) -> list[Run]:
        """The oldest first."""
        return [run for run in reversed(self.store.runs(limit=100)) if sha in (None, run.sha)]

    def run(self, sha: str) -> Run:
        """The newest of this commit."""
        return self.runs(sha)[-1]

    def checks(self, sha: str) -> dict[str, Check]:
        return {check.name: check for check in self.records.checks(KEY, sha)}

    def comment(self, number: int = 1) -> str:
        """The living comment; there is never more than one."""
        (post,) = [p for p in self.records.posts(KEY, number) if p.is_bot and "mlops-bot:change" in p.body]
        return post.body

    def answer(self, post: Post) -> str:
        marker = f"reply:plain-{post.id} "
        (answer,) = [p.body for p in self.records.posts(KEY, post.number) if p.is_bot and marker in p.body]
        return answer

    # -- the engine
    def end(self, run: Run, *, accuracy: float = 0.95, failure: Failure | None = None, **fields: Any) -> None:
        """Let a run come to its end, and the loop see it."""
        self.write_result(run, accuracy=accuracy, failure=failure, **fields)
        self.engine.put(run.id, EngineState.FAILED if failure else EngineState.SUCCEEDED)
        self.wake(run)

    def wake(self, run: Run) -> None:
        with self.store.transaction() as tx:
            tx.wake(Kind.RUN, run.id, now=self.now)
        self.converge()

    def write_result(self, run: Run, *, accuracy: float = 0.95, failure: Failure | None = None, **fields: Any) -> None:
        facts: dict[str, Any] = {
            "run_id": run.id,
            "run_key": run.key,
            "pipeline": run.pipeline,
            "pipeline_version": "1",
            "repository": run.repository,
            "sha": run.sha,
            "model": run.model,
            "state": "succeeded" if failure is None else "failed",
            "params": run.params,
            "metrics": {} if failure else {"accuracy": Metric(accuracy)},
            "failure": failure,
        }
        self.artifacts.write(run.id, "result.json", render_result(Result(**{**facts, **fields})))

    def close(self) -> None:
        self.git.close()
        self.store.close()
