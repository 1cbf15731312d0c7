"""A run's folder: the only truth about it that outlives a process.

| file | written by | means |
| --- | --- | --- |
| `intent.json` | the service, before anything starts | somebody wants this run |
| `lock` | held (flock) by the run's supervisor for its whole life | the run is alive |
| `started.json` | the supervisor, under the lock, before the first step | it must never be started again |
| `cancel` | the service | it should end |
| `exit.json` | the supervisor, or under the lock whoever finds the run lost | it has ended |

Each file appears as a whole (written beside, synced, renamed). What a crash leaves, and what is made of it:

1. no intent: nobody knows the run; submitting starts it.
2. an intent alone: it never started. It is pending; submitting again starts it. Should two children come of that, the
   lock lets one in, and the other finds it held, or finds `started.json`.
3. started, lock held: it runs, whoever started it.
4. started, lock free, no exit: lost. It is ended as failed, and its left processes are killed. Never started again.
5. an exit: it has ended, whatever else is there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bot.domain.run import EngineState
from pipelines.file_lock import is_locked, try_lock

RUN_ID = re.compile(r"run-[0-9a-f]{16}")
OWN_FILE_LIMIT_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Intent:
    """`limit_s` is how long the whole run may take."""

    pipeline: str
    arguments: dict[str, Any]
    limit_s: float
    submitted_at: str


@dataclass(frozen=True, slots=True)
class Exit:
    state: EngineState
    reason: str
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`path` is absolute, without symlinks. Its name is the run's id."""

    path: Path

    @classmethod
    def of(cls, runs: Path, run_id: str) -> RunFolder:
        """Raises ValueError for an id that is not one: it would be a path of somebody's choice."""
        if not RUN_ID.fullmatch(run_id):
            raise ValueError(f"{run_id!r} is not a run's id")
        return cls(runs / run_id)

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def log(self) -> Path:
        return self.path / "engine.log"

    @property
    def scratch(self) -> dict[str, Path]:
        """Folders that live as long as the run. Short names: a socket's path below TMPDIR has 108 bytes."""
        return {name: self.path / name for name in ("tmp", "home", "work", "kfp")}

    # -- writing
    def write_intent(self, intent: Intent) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fields = {name: getattr(intent, name) for name in Intent.__slots__}
        self._write("intent.json", fields)

    def write_started(self, started_at: datetime) -> None:
        self._write("started.json", {"pid": os.getpid(), "started_at": started_at.isoformat()})

    def write_exit(self, state: EngineState, reason: str, ended_at: datetime) -> None:
        self._write("exit.json", {"state": state.value, "reason": reason, "ended_at": ended_at.isoformat()})

    def ask_to_cancel(self) -> None:
        (self.path / "cancel").touch(mode=0o600)

    def clear_scratch(self) -> None:
        for folder in self.scratch.values():
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self) -> bool:
        """Take the folder away, unless somebody is at work in it."""
        with self.lock() as mine:
            if mine:
                shutil.rmtree(self.path, ignore_errors=True)
            return mine

    def _write(self, name: str, content: dict[str, Any]) -> None:
        descriptor, beside = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(descriptor)
        Path(beside).replace(self.path / name)
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    # -- reading
    def intent(self) -> Intent | None:
        fields = self._read("intent.json")
        return None if fields is None else Intent(**fields)

    def exit(self) -> Exit | None:
        fields = self._read("exit.json")
        if fields is None:
            return None
        return Exit(EngineState(fields["state"]), fields["reason"], datetime.fromisoformat(fields["ended_at"]))

    def supervisor_pid(self) -> int | None:
        fields = self._read("started.json")
        return None if fields is None else int(fields["pid"])

    @property
    def has_intent(self) -> bool:
        return (self.path / "intent.json").exists()

    @property
    def has_started(self) -> bool:
        return (self.path / "started.json").exists()

    @property
    def has_ended(self) -> bool:
        return (self.path / "exit.json").exists()

    @property
    def is_to_be_canceled(self) -> bool:
        return (self.path / "cancel").exists()

    @property
    def is_alive(self) -> bool:
        """Whether a supervisor holds the lock."""
        return is_locked(self.path)

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            with (self.path / name).open("rb") as file:
                fields: dict[str, Any] = json.loads(file.read(OWN_FILE_LIMIT_BYTES))
        except FileNotFoundError:
            return None
        return fields

    # -- the lock
    def lock(self) -> AbstractContextManager[bool]:
        """Try to hold the run's lock; gives whether it worked. Free again when the block ends, or the process."""
        return try_lock(self.path)
