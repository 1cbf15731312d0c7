"""The local engine: `kfp.local` on this machine, one process of its own per run.

    service (this file) ──▶ runner (kfp imported, forks) ──▶ supervisor of a run ──▶ worker (kfp.local) ──▶ steps

The service never imports kfp. What is true of a run stands in its folder (`local_folder.py`), so that a service that
was killed finds its runs again, and two services agree.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from bot.domain.clock import Clock
from bot.domain.errors import TransientError, UserError
from bot.domain.run import EngineRun, EngineState
from bot.engines import local_environment
from bot.engines.local_folder import Intent, RunFolder
from bot.engines.local_lost import end_unstarted, signal_supervisor, tidy
from bot.engines.local_observer import Observer, Seen
from bot.engines.local_process import RunnerGone, RunnerProcess
from bot.engines.local_watch import Watch
from bot.engines.packages import Packages, package_of
from bot.ports.engine import Submission
from pipelines.arguments import pack

ARGUMENTS_LIMIT_BYTES = 100_000  # kfp.local passes them on in one argument, of which Linux allows 128 KiB
START_PATIENCE_S = 20.0  # importing kfp takes 0.5 to 2 s
SLACK_S = 2 * 3600.0  # for fetching code, data and packages, and the report, besides the commands' own limits
DEFAULT_TIMEOUT_S = 3600.0
LOWEST_FREE_BYTES = 50_000_000

log = structlog.get_logger()


class LocalEngine:
    """Thread-safe. `packages` is the folder with `<pipeline>.yaml`, or gives the path of a pipeline's package.

    `on_change(run_id)` is called from a thread of the engine when a run ends or a step moves; it is only a hint.
    `lent` are variables for the steps' own processes, which no file and no process's visible environment holds.
    """

    name = "local"

    def __init__(
        self,
        home: Path,
        *,
        places: int,
        packages: Packages,
        clock: Clock,
        on_change: Callable[[str], None] | None = None,
        cache: Path | None = None,
        slack_s: float = SLACK_S,
        idle_s: float = 600.0,
        start_patience_s: float = START_PATIENCE_S,
        environ: Mapping[str, str] | None = None,
        lent: Mapping[str, str] | None = None,
    ) -> None:
        self.places: int | None = places
        folder = home.resolve() / "engine"
        self._runs = folder / "runs"
        self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._cache = cache.resolve() if cache else folder / "cache"
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._packages = packages
        self._clock = clock
        self._on_change = on_change or (lambda _run_id: None)
        self._slack_s = slack_s
        self._start_patience_s = start_patience_s
        self._environment = local_environment.inherited(os.environ if environ is None else environ)
        self._lent = dict(lent or {})
        self._runner = RunnerProcess(
            environment=self._environment,
            log_file=folder / "runner.log",
            idle_s=idle_s,
            preload=sorted(packages.glob("*.yaml")) if isinstance(packages, Path) else [],
        )
        self._watch = Watch(self._look)
        self._observer = Observer(self._runs)
        self._recovery: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Warm up in the background: the runner, and a look at what an earlier service left."""
        self._runner.start()
        self._recovery = threading.Thread(target=self._recover, name="engine-recover", daemon=True)
        self._recovery.start()

    # -- the port
    def submit(self, submission: Submission) -> None:
        folder = RunFolder.of(self._runs, submission.run_id)
        if folder.has_started or folder.has_ended:
            self._watch.add(folder.run_id, None)
            return
        local_environment.check_secrets(submission.secrets)
        package = package_of(submission.pipeline, self._packages)
        folder.write_intent(self._intent(submission))
        for _ in range(2):  # the runner may have died, or be about to end for lack of work
            if self._begin(folder, package, submission.secrets):
                return
        raise TransientError(f"The local engine could not start {submission.run_id}: its runner ended.")

    def observe(self, run_ids: Sequence[str]) -> Mapping[str, EngineRun]:
        seen = {run_id: self._observer.observe(run_id) for run_id in run_ids}
        for run in seen.values():
            if run.state is EngineState.RUNNING:
                self._watch.add(run.run_id, None)
        return seen

    def cancel(self, run_id: str) -> None:
        folder = RunFolder.of(self._runs, run_id)
        if not folder.has_intent or folder.has_ended:
            return
        folder.ask_to_cancel()
        if not end_unstarted(folder, self._clock()):
            signal_supervisor(folder)

    def check_health(self) -> None:
        if not os.access(self._runs, os.W_OK | os.X_OK):
            raise TransientError(f"The local engine can not write to its folder {self._runs}.")
        free = os.statvfs(self._runs)
        if free.f_bavail * free.f_frsize < LOWEST_FREE_BYTES:
            raise TransientError("The local engine's disk is full: less than 50 MB are free.")
        if self._runner.failure:
            raise TransientError(f"The local engine does not work: {self._runner.failure}.")

    def close(self) -> None:
        self._closed = True
        if self._recovery is not None:
            self._recovery.join()
        self._watch.close()
        self._runner.close()

    # -- beyond the port
    def prune(self, older_than: timedelta) -> int:
        """Remove the folders of runs that ended before then; gives how many. What they left lies elsewhere."""
        return sum(folder.remove() for folder in self.ended_before(self._clock() - older_than))

    def ended_before(self, before: datetime) -> list[RunFolder]:
        return [
            folder
            for folder in self._observer.folders()
            if (exit_ := folder.exit()) is not None and exit_.ended_at < before
        ]

    @property
    def runner_pid(self) -> int | None:
        return self._runner.pid

    # -- starting
    def _intent(self, submission: Submission) -> Intent:
        arguments = dict(submission.arguments)
        size = len(json.dumps(pack(arguments)).encode())
        if size > ARGUMENTS_LIMIT_BYTES:
            raise UserError(
                f"The parameters and settings of this model take {size:,} bytes; a run can be given 100,000.",
                "Move long values into a file of the repository.",
            )
        return Intent(
            pipeline=submission.pipeline,
            arguments=arguments,
            limit_s=_expected_s(arguments) + self._slack_s,
            submitted_at=self._clock().isoformat(),
        )

    def _begin(self, folder: RunFolder, package: Path, secrets: Mapping[str, str]) -> bool:
        """Have the run started, and wait until that is certain. False when the runner went away before it was."""
        ours, theirs = socket.socketpair()
        ours.settimeout(self._start_patience_s)
        try:
            with theirs:
                self._runner.send({"run": str(folder.path), "package": str(package.resolve())}, theirs)
            order = {
                "cache": str(self._cache),
                "environment": self._environment,
                "secrets": dict(secrets),
                "lent": self._lent,
            }
            ours.sendall(json.dumps(order).encode() + b"\n")
            answer = _read_answer(ours)
        except TimeoutError as error:
            ours.close()
            self._runner.replace_if_stuck()
            raise TransientError(
                "The local engine's runner does not answer; it is started again if it hangs."
            ) from error
        except (OSError, RunnerGone):
            answer = {}
        if answer.get("event") == "refused":
            ours.close()
            raise TransientError(f"The local engine could not start {folder.run_id}: {answer.get('reason')}")
        if not answer and not (folder.has_started or folder.has_ended):
            ours.close()
            return False
        self._runner.has_answered()
        self._watch.add(folder.run_id, ours)
        return True

    # -- noticing
    def _look(self, run_id: str, check_alive: bool) -> bool:
        """The watch's question: whether a run goes on. Tells when something moved."""
        seen = self._observer.look(run_id, check_alive=check_alive)
        if seen is not Seen.NOTHING_NEW:
            self._tell(run_id)
        return seen is not Seen.OVER

    def _tell(self, run_id: str) -> None:
        try:
            self._on_change(run_id)
        except Exception:  # a hint that is not heard must not stop the watch
            log.exception("engine_hint_failed", run_id=run_id)

    def _recover(self) -> None:
        """Look through what an earlier service left: runs to follow, runs that are lost, working files."""
        for folder in self._observer.folders():
            if self._closed:
                return
            if folder.has_started and not folder.has_ended:
                if self._look(folder.run_id, True):
                    self._watch.add(folder.run_id, None)
            else:
                tidy(folder)


def _expected_s(arguments: Mapping[str, Any]) -> float:
    """How long a run may take by what it was asked for: its commands' limits, a deployment's start and holds."""
    commands = [arguments.get("train"), arguments.get("evaluate")]
    limits = [step.get("timeout_s", DEFAULT_TIMEOUT_S) for step in commands if isinstance(step, dict) and step]
    canary = arguments.get("canary") or {}
    holds = len(canary.get("percents") or ()) * float(canary.get("hold_s") or 0.0)
    return float(sum(limits)) + float(arguments.get("ready_timeout_s") or 0.0) + holds


def _read_answer(line: socket.socket) -> dict[str, str]:
    """Empty when the other end went away without one."""
    text = b""
    while not text.endswith(b"\n"):
        part = line.recv(4096)
        if not part:
            return {}
        text += part
    answer: dict[str, str] = json.loads(text.splitlines()[0])
    return answer
