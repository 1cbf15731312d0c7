"""The keeper of one revision, seen from the bot: started here, or found again after the bot was."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

import pipelines
from bot.ports.forge import GitCredential
from pipelines.serving.folder import ServerFolder
from pipelines.serving.order import Order
from pipelines.steps import store_environment

KILL_ROUNDS = 50  # a process may fork while it is being killed, so it is looked for again
ROUND_S = 0.02


class KeeperProcess:
    """One at a time, of one folder. Not thread-safe: it is the supervisor's."""

    def __init__(self, folder: ServerFolder) -> None:
        self._folder = folder
        self._child: subprocess.Popen[bytes] | None = None
        self._descriptor: int | None = None

    def start(
        self,
        order: Order,
        environment: Mapping[str, str],
        credential: GitCredential | None,
        lent: Mapping[str, str] | None = None,
    ) -> None:
        """Raises OSError."""
        folder = self._folder
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("exit.json", "ready.json", "stage.json", "started.json"):  # of the start before
            folder.forget(name)
        folder.write("order.json", order.as_json())
        own = {
            "HOME": str(folder.home),
            "TMPDIR": str(folder.scratch),
            "MLOPS_BOT_WORKDIR": str(folder.scratch),
        }
        for scratch in (folder.home, folder.scratch):
            scratch.mkdir(mode=0o700, exist_ok=True)
        if credential is not None:
            own["MLOPS_BOT_GIT_CREDENTIALS_FILE"] = str(_credentials_file(folder, order.code, credential))
        if lent:
            own[store_environment.FILE] = str(_private_file(folder, "store-environment.json", lent))
        with folder.log.open("ab") as output:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "pipelines.serving.launch", str(folder.path)],
                cwd=Path(pipelines.__file__).parent.parent,  # where `-m` finds this very package
                env={**environment, **own},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # it outlives the bot
            )
        self._watch(self._child.pid)

    def is_alive(self) -> bool:
        """Also when somebody else started it."""
        if self._child is not None:
            if self._child.poll() is None:
                return True
            self._child = None
            self._unwatch()
        if not self._folder.is_held:
            self._unwatch()
            return False
        if self._descriptor is None:
            self._find()
        return True

    @property
    def descriptor(self) -> int | None:
        """Readable once it has ended."""
        return self._descriptor

    def ask_to_end(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """With all that is left of it."""
        self._signal(signal.SIGKILL)
        kill_left_behind(self._folder.path)

    def let_go(self) -> None:
        """It goes on."""
        self._unwatch()
        self._child = None

    def _signal(self, number: signal.Signals) -> None:
        """Through the descriptor, so that never another process is hit."""
        if self._descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def _find(self) -> None:
        """Its pid is right as long as the lock is held; a moment after the start it is not written yet."""
        started, order = self._folder.read("started.json"), self._folder.read("order.json")
        if started is None or order is None or started["start"] != order["start"]:
            return
        with contextlib.suppress(ProcessLookupError):
            self._watch(int(started["pid"]))
        if not self._folder.is_held:
            self._unwatch()

    def _watch(self, pid: int) -> None:
        self._unwatch()
        self._descriptor = os.pidfd_open(pid)

    def _unwatch(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def kill_left_behind(folder: Path) -> int:
    """Kill every process whose home folder lies in this revision's folder. Gives how many were found."""
    found: set[int] = set()
    home = b"HOME=" + os.fsencode(folder) + b"/"
    for _ in range(KILL_ROUNDS):
        left = [process for process in psutil.process_iter() if _has(process.pid, home)]
        if not left:
            break
        for process in left:
            found.add(process.pid)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        time.sleep(ROUND_S)
    return len(found)


def _has(pid: int, start: bytes) -> bool:
    try:
        entries = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, a zombie, or somebody else's
        return False
    return any(entry.startswith(start) for entry in entries)


def _credentials_file(folder: ServerFolder, address: str, credential: GitCredential) -> Path:
    given = {address: {"username": credential.username, "password": credential.password}}
    return _private_file(folder, "git-credentials.json", given)


def _private_file(folder: ServerFolder, name: str, content: Mapping[str, Any]) -> Path:
    """Readable by its owner alone; the keeper takes it off the disk before any code of the model runs."""
    path = folder.path / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(content), file)
    return path
