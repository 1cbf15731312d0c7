"""Bring a run to its end: ask its steps first, then kill them, and let the exit handler have its say."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bot.domain.result import FailureKind
from bot.domain.run import EngineState
from bot.engines.local_processes import descendants, send
from bot.engines.local_worker import Flags

GRACE_S = 5.0  # between asking a step to end and killing it
EXIT_HANDLER_S = 30.0  # for the report, after the steps are gone
STOP_FILE = "stop.json"  # below MLOPS_BOT_WORKDIR; tells the report why the steps failed


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run is ended before its time: canceled, or failed with a reason in words. `kind` is the failure's."""

    state: EngineState
    reason: str
    kind: FailureKind = FailureKind.LOST


class Stopper:
    """Call `press` until the worker is gone."""

    def __init__(self, stop: Stop, worker: int, flags: Flags, workdir: Path) -> None:
        self.stop = stop
        self._worker = worker
        self._flags = flags
        self._began = time.monotonic()
        self._asked: dict[psutil.Process, float] = {}
        flags.stop()
        words = json.dumps({"state": stop.state.value, "kind": stop.kind.value, "reason": stop.reason})
        try:
            (workdir / STOP_FILE).write_text(words, encoding="utf-8")
        except OSError as error:  # a full disk must not keep the run alive
            print(f"{STOP_FILE}: {error}", flush=True)  # noqa: T201 - the run's own log

    def press(self) -> None:
        now = time.monotonic()
        if now - self._began > GRACE_S + EXIT_HANDLER_S:
            for process in descendants(os.getpid()):
                send(process, signal.SIGKILL)
            return
        for process in self._steps():
            if process not in self._asked:
                self._asked[process] = now
                send(process, signal.SIGTERM)
            elif now - self._asked[process] > GRACE_S:
                send(process, signal.SIGKILL)

    def _steps(self) -> list[psutil.Process]:
        """What has to go, parents first: all below the worker, and what its steps left to us when they died. Once the
        exit handler runs, only those that were asked before: it is below the worker, too."""
        mine = descendants(os.getpid())
        spared = {self._worker}
        if self._flags.exit_handler_began:
            spared |= {process.pid for process in descendants(self._worker) if process not in self._asked}
        return [process for process in mine if process.pid not in spared]
