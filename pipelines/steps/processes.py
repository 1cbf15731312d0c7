"""The processes that a command started, wherever they hid, read from /proc."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_OOM_COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat"))

_prctl: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl


def adopt_orphans() -> None:
    """From now on, a grandchild whose parent ends becomes ours instead of init's: it can be found, and ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """For a child, between fork and exec: when this step is killed, the command must not live on."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def descendants(pid: int) -> list[int]:
    """All processes below this one, parents first."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def resident_bytes(pids: list[int]) -> int:
    """Memory that the processes hold. Pages that they share count once for each, so this is an upper bound."""
    return sum(_resident(pid) for pid in pids)


def proportional_bytes(pids: list[int]) -> int:
    """As above, with shared pages divided among their holders: exact, but slow (some milliseconds a gigabyte)."""
    return sum(_proportional(pid) for pid in pids)


def peak_bytes(pid: int) -> int:
    """The most that a process has held since its program began; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def kill_new_descendants(pid: int, *, known: frozenset[int]) -> None:
    """End those that are not among `known`, for as long as new ones appear (at most a second)."""
    deadline_s = time.monotonic() + 1.0
    while (left := [child for child in descendants(pid) if child not in known]) and time.monotonic() < deadline_s:
        for child in left:
            _kill_and_reap(child)
        time.sleep(0.002)


def out_of_memory_kills() -> int:
    """How often the kernel has killed for memory: in our control group where there is one, else on this machine."""
    for counter in _OOM_COUNTERS:
        try:
            lines = counter.read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return children
    for thread in threads:
        try:
            listed = (thread / "children").read_text()
        except OSError:  # ended meanwhile
            continue
        children += map(int, listed.split())
    return children


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return _resident(pid)
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _kill_and_reap(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, os.WNOHANG)
    except (ProcessLookupError, ChildProcessError):
        return
