"""What is known of runs, read from their folders and from what their steps wrote."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path

from bot.domain.run import EngineRun, EngineState
from bot.engines.local_folder import Intent, RunFolder
from bot.engines.local_lost import end_lost
from bot.engines.local_steps import Signature, ended, read_steps, signature, steps_folder

REMEMBERED_RUNS = 4096


class Seen(Enum):
    NOTHING_NEW = auto()
    STEP_MOVED = auto()
    OVER = auto()


class Observer:
    """Thread-safe. Remembers how runs ended, and what the active ones were meant to be: neither ever changes."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._intents: dict[str, Intent] = {}
        self._signatures: dict[str, Signature] = {}
        self._ended: OrderedDict[str, EngineRun] = OrderedDict()
        self._lock = threading.Lock()

    def observe(self, run_id: str) -> EngineRun:
        with self._lock:
            known = self._ended.get(run_id)
        if known is not None:
            return known
        try:
            folder = RunFolder.of(self._runs, run_id)
        except ValueError:
            return EngineRun(run_id, EngineState.UNKNOWN)
        intent = self._intent(folder)
        if intent is None:
            return EngineRun(run_id, EngineState.UNKNOWN)
        exit_ = folder.exit() or (end_lost(folder, datetime.now(UTC)) if folder.has_started else None)
        progress = read_steps(_steps_folder(folder, intent), intent.pipeline)
        if exit_ is not None:
            return self._remember(EngineRun(run_id, exit_.state, ended(progress, exit_.state), exit_.reason))
        state = EngineState.RUNNING if folder.has_started else EngineState.PENDING
        return EngineRun(run_id, state, progress)

    def look(self, run_id: str, *, check_alive: bool) -> Seen:
        """What happened to a started run since the last look. `check_alive` also finds that it is lost."""
        folder = RunFolder.of(self._runs, run_id)
        if folder.has_ended or (check_alive and end_lost(folder, datetime.now(UTC)) is not None):
            self._signatures.pop(run_id, None)
            return Seen.OVER
        intent = self._intent(folder)
        if intent is None:  # the folder was taken away
            return Seen.OVER
        now = signature(_steps_folder(folder, intent), intent.pipeline)
        if now == self._signatures.get(run_id, ()):
            return Seen.NOTHING_NEW
        self._signatures[run_id] = now
        return Seen.STEP_MOVED

    def folders(self) -> list[RunFolder]:
        folders = []
        for path in sorted(self._runs.iterdir()):
            try:
                folders.append(RunFolder.of(self._runs, path.name))
            except ValueError:  # not ours
                continue
        return folders

    def _intent(self, folder: RunFolder) -> Intent | None:
        """Kept for started runs only: until then, another submission may write a new one."""
        known = self._intents.get(folder.run_id)
        if known is not None:
            return known
        started = folder.has_started
        intent = folder.intent()
        if intent is not None and started:
            self._intents[folder.run_id] = intent
        return intent

    def _remember(self, run: EngineRun) -> EngineRun:
        with self._lock:
            self._intents.pop(run.run_id, None)
            self._ended[run.run_id] = run
            while len(self._ended) > REMEMBERED_RUNS:
                self._ended.popitem(last=False)
        return run


def _steps_folder(folder: RunFolder, intent: Intent) -> Path:
    """In the run's own folder, when its prefix is not on this machine."""
    return steps_folder(intent.arguments) or folder.path / "steps"
