"""A command of the repository: run within its limits, watched, accounted, and ended whole."""

from __future__ import annotations

import os
import re
import resource
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.steps import processes
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.step_log import StepLog

# What only a shell understands, and words that only a shell knows
_SHELL_SYNTAX = re.compile(r"[|&;<>()$`*?\[\]~#\n{}]|^\s*[A-Za-z_]\w*=")
_SHELL_WORDS = frozenset({"cd", "export", "source", ".", "set", "exec", "eval", "ulimit", "umask", "trap", "test", "!"})

_WATCH_PAUSE_S = 0.1
_FIRST_PAUSE_S = 0.003  # so that the memory of a command that ends soon is seen, too
_GRACE_S = 3.0  # between SIGTERM and SIGKILL, for checkpoints and temporary files
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """0 means no limit."""

    timeout_s: float = 0.0
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """`exit_code` is negative for a signal. `stopped_for` is set when we ended it: memory or timeout."""

    exit_code: int
    peak_memory_bytes: int
    cpu_s: float
    stopped_for: FailureKind | None
    killed_by_kernel: bool


def argument_list(run: str) -> list[str]:
    """Without a shell, unless the command has words for one: it is the repository's own command."""
    shell = ["sh", "-c", run]
    if _SHELL_SYNTAX.search(run):
        return shell
    try:
        words = shlex.split(run)
    except ValueError:
        return shell
    if not words:
        raise StepFailed(FailureKind.COMMAND, "The command is empty.", fix="Write it in `run:` of mlops.yaml.")
    return shell if words[0] in _SHELL_WORDS else words


def run_command(run: str, *, folder: Path, environment: Mapping[str, str], limits: Limits, log: StepLog) -> Ended:
    """Raises StepFailed only when the command could not be started."""
    processes.adopt_orphans()
    kills_before = processes.out_of_memory_kills()
    known = frozenset(processes.descendants(os.getpid()))
    own_bytes = processes.resident_bytes([os.getpid()])
    process = _start(argument_list(run), run, folder, environment)
    watch = _Watch(process, limits, log)
    try:
        status, usage = watch.until_it_ends()
    finally:  # also what the command left in the background; whoever needed time had it before
        processes.kill_new_descendants(os.getpid(), known=known)
    watch.read_the_rest()
    exit_code = os.waitstatus_to_exitcode(status)
    return Ended(
        exit_code=exit_code,
        peak_memory_bytes=_peak_bytes(watch.peak_memory_bytes, usage.ru_maxrss * 1024, own_bytes),
        cpu_s=round(usage.ru_utime + usage.ru_stime, 3),
        stopped_for=watch.stopped_for,
        killed_by_kernel=was_killed(exit_code) and processes.out_of_memory_kills() > kills_before,
    )


def was_killed(exit_code: int) -> bool:
    """By SIGKILL, itself or the last command of its shell."""
    return exit_code in (-signal.SIGKILL, 128 + signal.SIGKILL)


def _peak_bytes(seen: int, counted: int, forked: int) -> int:
    """What was seen now and then, or what Linux counted. It counts from before the exec, when the command is still a
    copy of this process: a peak as low as that says nothing, save that the command's own was not higher."""
    return max(seen, counted) if counted > forked * 1.1 else seen or counted


def _start(words: list[str], run: str, folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,  # not a session of its own: the engine finds what is left over by its own session
            preexec_fn=processes.die_with_parent,  # one system call, and this process has one thread
        )
    except FileNotFoundError as error:
        raise StepFailed(
            FailureKind.COMMAND,
            f"`{run}` could not be started: there is no `{words[0]}` here.",
            fix="Check the spelling; a package's command must come with the model's requirements.",
        ) from error
    except PermissionError as error:
        raise StepFailed(
            FailureKind.COMMAND,
            f"`{run}` could not be started: `{words[0]}` is not executable.",
            fix=f"Run `git update-index --chmod=+x {words[0]}` and commit, or name its interpreter.",
        ) from error
    except (OSError, ValueError) as error:
        raise StepFailed(FailureKind.COMMAND, f"`{run}` could not be started: {error}") from error


class _Watch:
    """Reads the output, and looks ten times a second whether the command keeps within its limits."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits, log: StepLog) -> None:
        self._process = process
        self._limits = limits
        self._log = log
        self._began_s = time.monotonic()
        self._kill_at_s: float | None = None
        assert process.stdout is not None
        self._output = process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._empty = False
        self.peak_memory_bytes = 0
        self.stopped_for: FailureKind | None = None

    def until_it_ends(self) -> tuple[int, resource.struct_rusage]:
        output = self._output
        ended = os.pidfd_open(self._process.pid)
        try:
            with selectors.DefaultSelector() as ready:
                ready.register(output, selectors.EVENT_READ)
                ready.register(ended, selectors.EVENT_READ)
                self._follow(ready, output, ended)
        finally:
            os.close(ended)
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return status, usage

    def read_the_rest(self) -> None:
        """What is still in the pipe; a writer that nobody could end is not waited for."""
        self._empty = False
        while not self._empty and self._read(self._output):
            pass
        self._log.end_of_output()

    def _follow(self, ready: selectors.BaseSelector, output: int, ended: int) -> None:
        next_look_s, pause_s = 0.0, _FIRST_PAUSE_S
        while True:
            happened = {key.fd for key, _ in ready.select(pause_s)}
            if output in happened and not self._read(output):
                ready.unregister(output)
            if ended in happened:
                return
            if time.monotonic() >= next_look_s:
                self._look()
                pause_s = min(pause_s * 2, _WATCH_PAUSE_S)
                next_look_s = time.monotonic() + pause_s

    def _read(self, output: int) -> bool:
        """False at the end of the output."""
        try:
            chunk = os.read(output, _CHUNK_BYTES)
        except BlockingIOError:
            self._empty = True
            return True
        self._log.feed(chunk)
        return bool(chunk)

    def _look(self) -> None:
        self._log.tick()
        pids = [self._process.pid, *processes.descendants(self._process.pid)]
        used = processes.resident_bytes(pids)
        self.peak_memory_bytes = max(self.peak_memory_bytes, processes.peak_bytes(self._process.pid))
        limit = self._limits.memory_bytes
        if limit and used > limit:
            used = processes.proportional_bytes(pids)  # forked workers share pages: count them once
        self.peak_memory_bytes = max(self.peak_memory_bytes, used)
        now_s = time.monotonic()
        if self.stopped_for is None:
            if limit and used > limit:
                self._stop(FailureKind.MEMORY, grace_s=0.0)
            elif self._limits.timeout_s and now_s - self._began_s > self._limits.timeout_s:
                self._stop(FailureKind.TIMEOUT, grace_s=_GRACE_S)
        if self._kill_at_s is not None and now_s >= self._kill_at_s:
            self._signal_all(signal.SIGKILL)

    def _stop(self, reason: FailureKind, *, grace_s: float) -> None:
        self.stopped_for = reason
        self._kill_at_s = time.monotonic() + grace_s
        if grace_s:
            self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in (self._process.pid, *processes.descendants(self._process.pid)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
