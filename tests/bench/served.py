"""The real service in a process of its own, as `mlops-bot serve` starts it, with a home folder of its own."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")

HOOK_SECRET = "hook-secret-of-the-bench"
START_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Served:
    home: Path
    process: subprocess.Popen[bytes]
    port: int

    @property
    def of_system(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def cpu_s(self) -> float:
        times = self.of_system.cpu_times()
        return times.user + times.system

    def rss_mb(self) -> float:
        return self.of_system.memory_info().rss / 1e6

    def children_mb(self) -> float:
        """Memory of the processes below the service, shared pages divided among those that share them."""
        return sum(child.memory_full_info().pss for child in self.of_system.children(recursive=True)) / 1e6

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Looked up beside the service, which is not asked and so not slowed down."""
        with closing(sqlite3.connect(f"file:{self.home / 'bot.sqlite3'}?mode=ro", uri=True)) as database:
            return database.execute(sql, values).fetchall()


@contextmanager
def serving(home: Path, environ: Mapping[str, str] | None = None) -> Iterator[Served]:
    """Ready for requests, which is not the same as idle: see `settle`."""
    process, port = launch(home, environ)
    try:
        served = Served(home, process, port)
        wait_for("the service", lambda: is_alive(process, home) and _listens(port), within_s=START_WITHIN_S)
        wait_for("its address", lambda: (home / "service-url").exists(), within_s=START_WITHIN_S)
        yield served
    finally:
        end(process)


def launch(home: Path, environ: Mapping[str, str] | None = None) -> tuple[subprocess.Popen[bytes], int]:
    """Returns at once; gives the process, and the port on which it will listen."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "service-url").unlink(missing_ok=True)
    port = _free_port()
    own = {"MLOPS_BOT_HOME": str(home), "MLOPS_BOT_PORT": str(port), "MLOPS_BOT_HOOK_SECRET": HOOK_SECRET}
    with (home / "served.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "serve"],
            env={**os.environ, **own, **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    return process, port


def is_alive(process: subprocess.Popen[bytes], home: Path) -> bool:
    """Raises RuntimeError with its last words when it is not."""
    if process.poll() is not None:
        raise RuntimeError(f"the service ended: {(home / 'served.log').read_text()[-2000:]}")
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def settle(served: Served, *, within_s: float = 30.0) -> None:
    """Until it uses next to nothing for a second."""

    def is_calm() -> bool:
        before = served.cpu_s()
        time.sleep(1.0)
        return served.cpu_s() - before < 0.05

    wait_for("calm", is_calm, within_s=within_s)


def wait_for(what: str, look: Callable[[], T | None], *, within_s: float = 60.0, every_s: float = 0.004) -> T:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(every_s)
    raise TimeoutError(f"{what} did not come within {within_s:.0f} s")


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
