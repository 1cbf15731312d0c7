"""Ending processes: those below a supervisor, and those that a dead supervisor left behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path

import psutil

# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
KILL_ROUNDS = 50  # a process may fork while it is being killed, so it is looked for again
ROUND_S = 0.02

_libc = ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Descendants whose parent dies become children of this process, whatever session they are in."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def close_files(*, keep: Collection[int]) -> None:
    """All that a fork inherited, save standard input and output, and those to keep."""
    for descriptor in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor not in keep:
            with contextlib.suppress(OSError):  # the listing's own
                os.close(descriptor)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def send(process: psutil.Process, number: int) -> None:
    """Signal it unless it is gone; psutil compares the start time, so a reused pid is not hit."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def descendants(pid: int) -> list[psutil.Process]:
    """Parents before their children."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_all_below_me() -> None:
    """Kill and reap every descendant of this process, which adopts orphans."""
    for _ in range(KILL_ROUNDS):
        for process in descendants(os.getpid()):
            send(process, signal.SIGKILL)
        if not reap_children():
            return
        time.sleep(ROUND_S)


def reap_children() -> bool:
    """Collect children that have ended; gives whether any are left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def kill_left_behind(folder: Path) -> int:
    """Kill every process that was started with a path below `folder` in its environment.

    All processes of a run have, for one, HOME and TMPDIR there. Gives how many were found.
    """
    found: set[int] = set()
    for _ in range(KILL_ROUNDS):
        left = [process for process in psutil.process_iter() if _belongs(process.pid, folder)]
        if not left:
            break
        for process in left:
            found.add(process.pid)
            send(process, signal.SIGKILL)
        time.sleep(ROUND_S)
    return len(found)


def _belongs(pid: int, folder: Path) -> bool:
    try:
        entries = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:  # gone, a zombie, or somebody else's
        return False
    below = os.fsencode(folder) + b"/"
    return any(
        value.startswith(below)
        for name, _, value in (entry.partition(b"=") for entry in entries)
        if name not in (b"PWD", b"OLDPWD")  # somebody who looks at the folder in a shell
    )
