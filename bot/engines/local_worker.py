"""The process of one run in which `kfp.local` works: forked by the supervisor, with kfp imported already."""

from __future__ import annotations

import json
import logging
import mmap
import os
import re
import select
import shlex
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Mapping
from io import TextIOBase
from pathlib import Path
from typing import Any

from bot.domain.masking import mask
from bot.engines.local_component import can_fork, component_of, fork_step
from bot.engines.local_kfp import local, status, subprocess_task_handler
from pipelines.arguments import pack

PIPE_BYTES = 65_536
LONGEST_LINE_CHARACTERS = 65_536
LOG_LIMIT_CHARACTERS = 5_000_000  # a step's own log is kept elsewhere; this one is for whoever runs the bot
REASON_LIMIT_CHARACTERS = 2_000
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Flags:
    """Two bytes that the supervisor and its worker share."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 2)

    @property
    def is_stopping(self) -> bool:
        """Set by the supervisor: begin no further step, save the exit handler."""
        return self._memory[0] == 1

    def stop(self) -> None:
        self._memory[0] = 1

    @property
    def exit_handler_began(self) -> bool:
        return self._memory[1] == 1

    def begin_exit_handler(self) -> None:
        self._memory[1] = 1


class MaskedLog(TextIOBase):
    """What kfp and the steps print, line by line, without secrets, up to a limit."""

    def __init__(self, descriptor: int, secrets: Iterable[str]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._secrets = tuple(secrets)
        self._left = LOG_LIMIT_CHARACTERS
        self._begun = ""  # a line whose end has not come: half a secret can not be masked

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._begun += text
        lines, newline, rest = self._begun.rpartition("\n")
        if newline:
            self._put(lines + newline)
            self._begun = rest
        elif len(rest) > LONGEST_LINE_CHARACTERS:
            self.finish()
        return len(text)

    def finish(self) -> None:
        self._put(self._begun)
        self._begun = ""

    def _put(self, text: str) -> None:
        if self._left <= 0:
            return
        shown = mask(text, self._secrets)[: self._left]
        self._left -= len(shown)
        if self._left == 0:
            shown += "\n[the rest is not kept]\n"
        os.write(self._descriptor, shown.encode("utf-8", "replace"))


def run_pipeline(
    pipeline: Callable[..., object],
    arguments: Mapping[str, Any],
    *,
    environment: Mapping[str, str],
    scratch: Mapping[str, Path],
    secrets: Iterable[str],
    flags: Flags,
) -> dict[str, str]:
    """Gives the outcome: state and reason. Changes the process for good, so it is the last that the process does."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(scratch["kfp"])
    tempfile.tempdir = None  # found anew, from TMPDIR
    sys.stdout = sys.stderr = log = MaskedLog(1, secrets)
    logging.getLogger().handlers.clear()
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(scratch["kfp"] / "root"),
        workspace_root=str(scratch["kfp"] / "workspace"),
        raise_on_error=True,
    )
    subprocess_task_handler.SubprocessTaskHandler = _handler(flags)
    try:
        pipeline(**pack(arguments))
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends this run alone, and its words are kept
        traceback.print_exc()
        reason = mask(_COLOUR.sub("", str(error) or type(error).__name__), secrets)
        return {"state": "failed", "reason": reason[:REASON_LIMIT_CHARACTERS]}
    finally:
        log.finish()
    return {"state": "succeeded", "reason": ""}


def _handler(flags: Flags) -> type:
    class StoppableTaskHandler(subprocess_task_handler.SubprocessTaskHandler):  # type: ignore[misc]  # kfp has no types
        """kfp.local has no cancel: once the run is to stop, no step begins any more, save the exit handler.

        And it waits for a step's output to end, which a process that the step left in the background holds open.
        """

        def run(self) -> status.Status:
            if _is_exit_handler(self.full_command):
                flags.begin_exit_handler()
            elif flags.is_stopping:
                return status.Status.FAILURE
            code = run_step(self.full_command, {**os.environ, **self.env_vars})
            return status.Status.SUCCESS if code == 0 else status.Status.FAILURE

    return StoppableTaskHandler


def run_step(command: list[str], environment: Mapping[str, str]) -> int:
    component = component_of(command) if can_fork() else None
    if component is not None:
        pid, output = fork_step(component, environment)
        try:
            _show_until_ended(pid, output)
        finally:
            os.close(output)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    python = shlex.quote(sys.executable)  # kfp puts it into a shell's line
    command = subprocess_task_handler.replace_python_executable(command, python)
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        _show_until_ended(process.pid, process.stdout.fileno())
    return process.returncode


def _show_until_ended(pid: int, output: int) -> None:
    """Show a step's output until its own process ends, whoever else holds its output open."""
    ended = os.pidfd_open(pid)
    os.set_blocking(output, False)
    watched = [output, ended]
    try:
        while ended not in select.select(watched, [], [])[0]:
            if not _show(output):
                watched.remove(output)
        _show(output)
    finally:
        os.close(ended)


def _show(output: int) -> bool:
    """Copy what there is, up to a pipe's size; gives whether more may come."""
    try:
        text = os.read(output, PIPE_BYTES)
    except BlockingIOError:
        return True
    sys.stdout.write(text.decode("utf-8", "replace"))
    return bool(text)


def _is_exit_handler(command: list[str]) -> bool:
    """Whether a step takes the pipeline's final status: kfp gives it to exit handlers alone."""
    try:
        position = command.index("--executor_input")
        parameters = json.loads(command[position + 1])["inputs"]["parameterValues"]
    except (ValueError, IndexError, KeyError):
        return False
    return any(
        isinstance(value, dict) and {"state", "error", "pipeline_job_resource_name"} <= value.keys()
        for value in parameters.values()
    )
