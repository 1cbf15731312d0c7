"""Runs without a supervisor: ended, so that nobody waits for them, and cleaned up after."""

from __future__ import annotations

import contextlib
import os
import signal
from datetime import datetime

from bot.domain.run import EngineState
from bot.engines.local_folder import Exit, RunFolder
from bot.engines.local_processes import kill_left_behind

LOST = "The run's processes went away without a word: the machine was restarted, or something killed them."


def end_lost(folder: RunFolder, now: datetime) -> Exit | None:
    """How a started run ended, once its supervisor is gone; None while it goes on.

    A supervisor that died without writing an end lost its run: what it left running is killed, and the end written.
    """
    with folder.lock() as mine:
        if not mine:
            return folder.exit()
        known = folder.exit()
        if known is not None or not folder.has_started:
            return known
        kill_left_behind(folder.path)
        state = EngineState.CANCELED if folder.is_to_be_canceled else EngineState.FAILED
        reason = "" if state is EngineState.CANCELED else LOST
        folder.clear_scratch()
        with contextlib.suppress(OSError):  # a full disk: whoever looks next finds the same
            folder.write_exit(state, reason, now)
        return Exit(state, reason, now)


def end_unstarted(folder: RunFolder, now: datetime) -> bool:
    """End a run that was only intended. A child that comes late finds the end and does nothing."""
    if folder.has_started:
        return False
    with folder.lock() as mine:
        if not mine or folder.has_started:
            return False
        if not folder.has_ended:
            folder.write_exit(EngineState.CANCELED, "", now)
        return True


def signal_supervisor(folder: RunFolder) -> None:
    """Wake it, so that it sees at once what it is asked; without it, it looks every second."""
    pid = folder.supervisor_pid()
    if pid is None:
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if folder.is_alive:  # the lock's holder wrote this pid and lives, so the descriptor means it and no other
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


def tidy(folder: RunFolder) -> None:
    """Remove the working files of an ended run that its supervisor did not come to remove."""
    if not folder.has_ended or not any(path.exists() for path in folder.scratch.values()):
        return
    with folder.lock() as mine:
        if mine:
            kill_left_behind(folder.path)
            folder.clear_scratch()
