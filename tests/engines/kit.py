"""What tests of engines share: small packages, runs with commands of a test's own, and waiting with a deadline."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bot.domain.run import EngineRun, EngineState
from bot.engines.local import LocalEngine
from bot.engines.local_folder import RunFolder
from bot.ports.engine import Engine, Submission

DEADLINE_S = 60.0
WAIT = "import time\nwhile not (folder / 'go').exists(): time.sleep(0.01)"
FAIL = "raise ValueError('no such column')"


def compile_packages(folder: Path) -> Path:
    subprocess.run([sys.executable, Path(__file__).with_name("small_pipelines.py"), folder], check=True)
    return folder


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait for something to become true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"did not come to pass: {what or condition}"
        time.sleep(0.01)
    return value


@dataclass(frozen=True)
class SmallRun:
    """A run of the small pipeline `train`. `begun` lists its steps in the order in which they really began."""

    id: str
    prefix: Path
    submission: Submission

    @property
    def begun(self) -> list[str]:
        file = self.prefix / "begun.txt"
        return file.read_text().split() if file.exists() else []

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.prefix / "result.json").read_text())

    def let_go(self) -> None:
        self.prefix.mkdir(exist_ok=True)
        (self.prefix / "go").touch()

    def wait_until_step_begins(self, step: str) -> None:
        until(lambda: step in self.begun, f"{step} begins")

    def left_processes(self) -> list[psutil.Process]:
        """Processes whose environment names this run, wherever they are."""
        left = []
        for process in psutil.process_iter():
            try:
                if self.id in json.dumps(process.environ()) and process.status() != psutil.STATUS_ZOMBIE:
                    left.append(process)
            except psutil.Error:
                continue
        return left


def small_run(
    artifacts: Path,
    *,
    train: str = "",
    evaluate: str = "",
    secrets_: dict[str, str] | None = None,
    timeout_s: float = 600,
    pipeline: str = "train",
) -> SmallRun:
    run_id = "run-" + secrets.token_hex(8)
    prefix = artifacts / run_id
    arguments = {
        "run_id": run_id,
        "run_prefix": prefix.as_uri(),
        "train": {"code": train, "timeout_s": timeout_s},
        "evaluate": {"code": evaluate, "timeout_s": timeout_s},
        "fetch": {"code": ""},
    }
    return SmallRun(run_id, prefix, Submission(run_id, pipeline, arguments, secrets_ or {}))


def local_engine(home: Path, packages: Path, **settings: Any) -> LocalEngine:
    return LocalEngine(home, places=2, packages=packages, clock=lambda: datetime.now(UTC), **settings)


def intend(engine: LocalEngine, submission: Submission) -> RunFolder:
    """What a service leaves that is killed right after it wrote down what it is about to start."""
    folder = RunFolder.of(engine._runs, submission.run_id)
    folder.write_intent(engine._intent(submission))
    return folder


def end_of(engine: Engine, run_id: str) -> EngineRun:
    def ended() -> EngineRun | None:
        seen = engine.observe([run_id])[run_id]
        return None if seen.state in (EngineState.PENDING, EngineState.RUNNING) else seen

    return until(ended, f"{run_id} ends")


def states(run: EngineRun) -> dict[str, str]:
    return {step.name: step.state for step in run.steps}
