"""The process of one run in which `kfp.local` works: forked by the supervisor, with kfp imported already."""

from __future__ import annotations

import json
import logging
import mmap
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Mapping
from io import TextIOBase
from pathlib import Path
from typing import Any

from kfp import local
from kfp.local import status, subprocess_task_handler

from bot.domain.masking import mask

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
    """What kfp prints, without secrets, up to a limit."""

    def __init__(self, descriptor: int, secrets: Iterable[str]) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._secrets = tuple(secrets)
        self._left = LOG_LIMIT_CHARACTERS

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self._left > 0:
            shown = mask(text, self._secrets)[: self._left]
            self._left -= len(shown)
            if self._left == 0:
                shown += "\n[the rest is not kept]\n"
            os.write(self._descriptor, shown.encode("utf-8", "replace"))
        return len(text)


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
    sys.stdout = sys.stderr = MaskedLog(1, secrets)
    logging.getLogger().handlers.clear()
    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(scratch["kfp"] / "root"),
        workspace_root=str(scratch["kfp"] / "workspace"),
        raise_on_error=True,
    )
    subprocess_task_handler.SubprocessTaskHandler = _handler(flags)
    try:
        pipeline(**arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends this run alone, and its words are kept
        traceback.print_exc()
        reason = mask(_COLOUR.sub("", str(error) or type(error).__name__), secrets)
        return {"state": "failed", "reason": reason[:REASON_LIMIT_CHARACTERS]}
    return {"state": "succeeded", "reason": ""}


def _handler(flags: Flags) -> type:
    class StoppableTaskHandler(subprocess_task_handler.SubprocessTaskHandler):  # type: ignore[misc]  # kfp has no types
        """kfp.local has no cancel: once the run is to stop, no step begins any more, save the exit handler."""

        def run(self) -> status.Status:
            if _is_exit_handler(self.full_command):
                flags.begin_exit_handler()
            elif flags.is_stopping:
                return status.Status.FAILURE
            return super().run()

    return StoppableTaskHandler


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
