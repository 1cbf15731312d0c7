"""The service's end of the runner process: started when needed, started again when it dies."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import structlog

import bot

STEADY_S = 5.0  # a runner that dies sooner is not started again before it is needed
LOG_LIMIT_BYTES = 1_000_000
STOP_PATIENCE_S = 3.0
SEND_PATIENCE_S = 5.0
IMPORT_PATIENCE_S = 120.0  # importing kfp takes 0.5 to 2 s, on an idle machine

log = structlog.get_logger()


class RunnerGone(Exception):
    """The runner process ended before it could take a message."""


class RunnerProcess:
    """Thread-safe."""

    def __init__(self, *, environment: Mapping[str, str], log_file: Path, idle_s: float, preload: list[Path]) -> None:
        self._environment = dict(environment)
        self._log_file = log_file
        self._idle_s = idle_s
        self._preload = preload
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._closed = False
        self._answered = False
        self._launched_at = 0.0
        self.failure = ""  # why the last runner died by itself, until another one is seen to work

    @property
    def pid(self) -> int | None:
        with self._lock:
            return self._process.pid if self._process else None

    def start(self) -> None:
        """Returns before the runner is ready; messages wait for it."""
        with self._lock:
            self._ensure()

    def send(self, message: Mapping[str, str], line: socket.socket) -> None:
        """Hand over a message with one end of a line. Raises RunnerGone."""
        with self._lock:
            control = self._ensure()
            try:
                socket.send_fds(control, [json.dumps(message).encode()], [line.fileno()])
            except OSError as error:
                raise RunnerGone(str(error)) from error

    def has_answered(self) -> None:
        """It was seen to work."""
        with self._lock:
            self._answered, self.failure = True, ""

    def replace_if_stuck(self) -> None:
        """Kill a runner that did not answer, unless it may still be importing kfp. Its runs go on."""
        with self._lock:
            may_be_starting = not self._answered and time.monotonic() - self._launched_at < IMPORT_PATIENCE_S
            if self._process is not None and not may_be_starting:
                self._process.kill()

    def close(self) -> None:
        """Let the runner end, which leaves its runs alone."""
        with self._lock:
            self._closed = True
            process, control = self._process, self._control
            self._process = self._control = None
            if control is not None:
                control.close()
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_PATIENCE_S)
                return
            process.kill()
            process.wait()

    def _ensure(self) -> socket.socket:
        if self._closed:
            raise RunnerGone("the engine is closed")
        if self._control is None:
            self._control = self._launch()
        return self._control

    def _launch(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(SEND_PATIENCE_S)
        self._answered, self._launched_at = False, time.monotonic()
        command = [sys.executable, "-m", "bot.engines.local_runner", str(theirs.fileno()), str(self._idle_s)]
        with theirs, self._log_file.open("ab") as output:
            if output.tell() > LOG_LIMIT_BYTES:
                output.truncate(0)
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                cwd=Path(bot.__file__).parent.parent,  # where `-m` finds this very package
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C on the service's terminal is not for the runs
            )
        waiter = threading.Thread(target=self._await_end, args=[self._process], name="engine-runner", daemon=True)
        waiter.start()
        for package in self._preload:
            ours.send(json.dumps({"load": str(package)}).encode())
        return ours

    def _await_end(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._lock:
            if self._process is not process:  # it was told to end
                return
            if self._control is not None:
                self._control.close()
            self._process = self._control = None
            if code == 0:  # it had nothing to do
                return
            self.failure = f"the local engine's runner ended with {code}; see {self._log_file.name}"
            log.warning("engine_runner_died", code=code)
            if time.monotonic() - self._launched_at > STEADY_S:
                self._control = self._launch()
