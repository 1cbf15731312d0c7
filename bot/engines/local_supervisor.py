"""The process that sees one run to its end, whatever becomes of the service: forked by the runner.

It holds the run's lock, forks the worker in which kfp works, adopts every process that comes of it, ends them in time,
and writes how it ended. It is single-threaded and never waits for long without looking around.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from bot.domain.result import FailureKind
from bot.domain.run import EngineState
from bot.engines import lent_environment, local_environment
from bot.engines.local_folder import Intent, RunFolder
from bot.engines.local_processes import adopt_orphans, close_files, die_with_parent, kill_all_below_me
from bot.engines.local_stop import Stop, Stopper
from bot.engines.local_worker import Flags, run_pipeline

LOCK_PATIENCE_S = 5.0  # somebody may be looking whether the lock is free just now
REQUEST_PATIENCE_S = 10.0
LOOK_S = 1.0  # signals wake it at once; this is for the cancel file and the time limit
LOOK_WHILE_STOPPING_S = 0.1
OUTCOME_LIMIT_BYTES = 32_000
OOM_SCORE = "500"  # of 1000 (proc(5), oom_score_adj)
WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

Pipeline = Callable[..., object]


@dataclass(frozen=True, slots=True)
class Order:
    """What a run needs besides its intent; all but the cache comes through the line and is in no file."""

    folder: RunFolder
    cache: Path
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    lent: Mapping[str, str]


def supervise(folder: RunFolder, pipeline: Pipeline, line: socket.socket) -> None:
    """See a run to its end, if it was not begun before. Tells what happens on `line`, whose other end may go away."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    order = _receive(folder, line)
    intent = folder.intent()
    if order is None or intent is None:
        return
    with _entered(folder) as entered:
        if not entered:
            tell(line, "begun")
            return
        if folder.is_to_be_canceled:
            state, reason = EngineState.CANCELED, ""
        else:
            folder.write_started(datetime.now(UTC))
            tell(line, "started")
            try:
                state, reason = _run(order, intent, pipeline)
            except OSError as error:  # no space, no memory, too many processes
                kill_all_below_me()
                state, reason = EngineState.FAILED, f"The run could not be carried out: {error}."
        folder.write_exit(state, reason, datetime.now(UTC))
        tell(line, "ended")
        folder.clear_scratch()


def tell(line: socket.socket, event: str, reason: str = "") -> None:
    with contextlib.suppress(OSError):  # the service has gone: it will find the folder
        line.send(json.dumps({"event": event, "reason": reason}).encode() + b"\n", socket.MSG_DONTWAIT)


def _receive(folder: RunFolder, line: socket.socket) -> Order | None:
    """None when the service went away before it had said everything."""
    line.settimeout(REQUEST_PATIENCE_S)
    try:
        with line.makefile("rb") as stream:
            text = stream.readline()
    except TimeoutError:
        return None
    if not text.endswith(b"\n"):
        return None
    fields = json.loads(text)
    return Order(folder, Path(fields["cache"]), fields["environment"], fields["secrets"], fields["lent"])


@contextlib.contextmanager
def _entered(folder: RunFolder) -> Iterator[bool]:
    """Hold the run's lock; False when the run was begun already."""
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while not (folder.has_started or folder.has_ended) and time.monotonic() < deadline:
        with folder.lock() as mine:
            if mine and not (folder.has_started or folder.has_ended):
                yield True
                return
        time.sleep(0.005)
    yield False


def _run(order: Order, intent: Intent, pipeline: Pipeline) -> tuple[EngineState, str]:
    for scratch in order.folder.scratch.values():
        scratch.mkdir(mode=0o700, exist_ok=True)
    _redirect_output(order.folder.log)
    adopt_orphans()
    flags = Flags()
    outcome_read, outcome_write = os.pipe()
    supervisor = os.getpid()
    worker = os.fork()
    if worker == 0:
        _work(order, intent, pipeline, flags, outcome_write, supervisor)
    os.close(outcome_write)
    stop, status = _watch(order.folder, intent, worker, flags)
    kill_all_below_me()  # before the outcome is read to its end: nobody else holds the pipe open now
    with os.fdopen(outcome_read, "rb") as stream:
        outcome = stream.read(OUTCOME_LIMIT_BYTES)
    return _conclusion(stop, status, outcome)


def _work(
    order: Order, intent: Intent, pipeline: Pipeline, flags: Flags, outcome_write: int, supervisor: int
) -> NoReturn:
    """The forked worker: nothing of the supervisor's may stay open in it, its lock least of all."""
    code = 1
    try:
        die_with_parent()
        if os.getppid() != supervisor:  # it died before the line above
            os._exit(code)
        close_files(keep=[outcome_write])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        with contextlib.suppress(OSError):  # when memory runs out, better a run than the service
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE, encoding="ascii")
        scratch = order.folder.scratch
        environment = local_environment.of_run(
            {**order.environment, **order.lent},
            run_id=order.folder.run_id,
            scratch=scratch,
            cache=order.cache,
            secrets=order.secrets,
        )
        outcome = run_pipeline(
            pipeline,
            intent.arguments,
            environment=environment,
            scratch=scratch,
            secrets=[*order.secrets.values(), *lent_environment.secret_values(order.lent)],
            flags=flags,
        )
        os.write(outcome_write, json.dumps(outcome).encode())
        code = 0
    except BaseException:  # noqa: BLE001 - a forked process must never go on as its parent would
        traceback.print_exc()
    finally:
        os._exit(code)


def _watch(folder: RunFolder, intent: Intent, worker: int, flags: Flags) -> tuple[Stop | None, int]:
    """Wait for the worker's end, and bring it about when it is due. Gives why, and the worker's wait status."""
    deadline = time.monotonic() + intent.limit_s
    stopper: Stopper | None = None
    number = 0
    while True:
        status = _reap(worker)
        if status is not None:
            return (stopper.stop if stopper else None), status
        if stopper is None:
            stop = _stop_due(folder, intent, number, deadline)
            stopper = Stopper(stop, worker, flags, folder.scratch["work"]) if stop else None
        if stopper is not None:
            stopper.press()
        received = signal.sigtimedwait(WATCHED, LOOK_S if stopper is None else LOOK_WHILE_STOPPING_S)
        number = received.si_signo if received else 0


def _stop_due(folder: RunFolder, intent: Intent, number: int, deadline: float) -> Stop | None:
    if folder.is_to_be_canceled:
        return Stop(EngineState.CANCELED, "", FailureKind.CANCELED)
    if number not in (0, signal.SIGCHLD):
        name = signal.Signals(number).name
        return Stop(EngineState.FAILED, f"The run was stopped from outside by {name}, as at a shutdown.")
    if time.monotonic() > deadline:
        words = f"The run took longer than the {intent.limit_s:.0f} s that it may take."
        return Stop(EngineState.FAILED, words, FailureKind.TIMEOUT)
    return None


def _reap(worker: int) -> int | None:
    """Collect what has ended; gives the worker's wait status once it has."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)  # the worker itself is left until it is collected here
        if pid == 0:
            return None
        if pid == worker:
            return status


def _conclusion(stop: Stop | None, status: int, outcome: bytes) -> tuple[EngineState, str]:
    """A pipeline that came to its good end stays so, though it was asked to stop meanwhile."""
    try:
        fields: dict[str, Any] = json.loads(outcome)
    except ValueError:
        fields = {}
    if fields.get("state") == "succeeded":
        return EngineState.SUCCEEDED, ""
    if stop is not None:
        return stop.state, stop.reason
    if fields:
        return EngineState.FAILED, str(fields.get("reason", ""))
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return EngineState.FAILED, f"The run's process was ended by {name}; perhaps the machine's memory ran out."
    return EngineState.FAILED, "The run's process ended without a word; its log on the bot's machine has more."


def _redirect_output(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    os.close(nothing)
    sys.stdout.flush()
