"""Looks after one model server while it lives: reads its output, asks whether it is ready, holds it to its memory
limit, and ends it with all that it started."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.serving.probe import Probe
from pipelines.serving.server_log import ServerLog
from pipelines.steps import processes
from pipelines.steps.quantities import size

STARTING_PAUSE_S = 0.05  # between questions to a server that answers that it is not ready
READY_PAUSE_S = 5.0
# A server that was ready and has not answered for so long hangs. While it predicts it does not answer; the bot's proxy
# gives up on a prediction after 60 s.
SILENCE_LIMIT_S = 120.0
LONGEST_SLEEP_S = 10.0
MEMORY_PAUSE_S = 0.25
STOP_GRACE_S = 10.0  # after SIGTERM the server answers what it has begun to answer
CHUNK_BYTES = 64 * 1024
NOT_LOADED = 3  # the server program's exit code when its last words say why


@dataclass(frozen=True, slots=True)
class Ended:
    """`words` say why, in one line."""

    exit_code: int
    words: str


class Keeper:
    """`on_ready` is called once, when the server answers that it is ready; `is_wanted` is asked now and then."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        *,
        port: int,
        model: str,
        memory_bytes: int,
        log: ServerLog,
        on_ready: Callable[[], None],
        is_wanted: Callable[[], bool] = lambda: True,
        silence_limit_s: float = SILENCE_LIMIT_S,
        ready_pause_s: float = READY_PAUSE_S,
    ) -> None:
        self._process = process
        self._port = port
        self._path = f"/v2/models/{model}/ready"
        self._memory_bytes = memory_bytes
        self._log = log
        self._on_ready = on_ready
        self._is_wanted = is_wanted
        self._silence_limit_s = silence_limit_s
        self._ready_pause_s = ready_pause_s
        assert process.stdout is not None
        self._output = process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._ended = os.pidfd_open(process.pid)
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._selector = selectors.DefaultSelector()
        for descriptor in (self._output, self._ended, self._woken):
            self._selector.register(descriptor, selectors.EVENT_READ)
        self._probe: Probe | None = None
        self._next_probe_s = self._next_memory_s = 0.0
        self._answered_s: float | None = None  # when the server was seen ready; None before the first time
        self._stop_words = ""
        self._kill_at_s: float | None = None
        self._asked_to_stop = False

    def ask_to_stop(self) -> None:
        """For a signal handler: seen by the next round, which the signal itself wakes."""
        self._asked_to_stop = True

    def run(self) -> Ended:
        """Until the server has ended."""
        kills_before = processes.out_of_memory_kills()
        while self._ended not in self._wait():
            self._look(time.monotonic())
        self._process.wait()
        processes.kill_new_descendants(os.getpid(), known=frozenset())
        self._read_output()
        self._log.end_of_output()
        code = self._process.returncode
        return Ended(code, self._stop_words or self._words(code, processes.out_of_memory_kills() > kills_before))

    def _wait(self) -> set[int]:
        now_s = time.monotonic()
        times = [now_s + min(LONGEST_SLEEP_S, self._silence_limit_s)] if self._probe else [self._next_probe_s]
        times += [self._kill_at_s] if self._kill_at_s is not None else []
        times += [self._next_memory_s] if self._memory_bytes else []
        happened = {key.fd for key, _ in self._selector.select(max(0.0, min(times) - now_s))}
        if self._output in happened and not self._read_output():
            self._selector.unregister(self._output)
        if self._woken in happened:
            os.read(self._woken, CHUNK_BYTES)
        if self._probe is not None and self._probe.fileno() in happened:
            self._hear(self._probe)
        return happened

    def _look(self, now_s: float) -> None:
        if self._asked_to_stop and not self._stop_words:
            self._stop("It was told to end.", STOP_GRACE_S, now_s)
        if self._kill_at_s is not None:
            if now_s >= self._kill_at_s:
                self._signal_all(signal.SIGKILL)
                self._kill_at_s = now_s + 0.1
            return
        if self._memory_bytes and now_s >= self._next_memory_s:
            self._look_at_memory(now_s)
        self._look_at_health(now_s)

    # -- health
    def _look_at_health(self, now_s: float) -> None:
        if self._probe is None and now_s >= self._next_probe_s:
            self._probe = Probe(self._port, self._path)
            self._selector.register(self._probe.fileno(), selectors.EVENT_READ)
            if not self._is_wanted():
                self._stop("It is wanted no more.", STOP_GRACE_S, now_s)
        if self._answered_s is not None and not self._stop_words and now_s - self._answered_s > self._silence_limit_s:
            words = f"The model server hung: it did not say that it was ready for {self._silence_limit_s:g} s."
            self._stop(words, STOP_GRACE_S, now_s)

    def _hear(self, probe: Probe) -> None:
        is_good, now_s = probe.is_good(), time.monotonic()
        if is_good:
            is_first, self._answered_s = self._answered_s is None, now_s
            if is_first and not self._asked_to_stop:
                self._on_ready()
        self._close_probe(now_s)

    def _close_probe(self, now_s: float) -> None:
        assert self._probe is not None
        self._selector.unregister(self._probe.fileno())
        self._probe.close()
        self._probe = None
        self._next_probe_s = now_s + (STARTING_PAUSE_S if self._answered_s is None else self._ready_pause_s)

    # -- limits and ends
    def _look_at_memory(self, now_s: float) -> None:
        self._next_memory_s = now_s + MEMORY_PAUSE_S
        pids = [self._process.pid, *processes.descendants(self._process.pid)]
        used = processes.resident_bytes(pids)
        if used > self._memory_bytes:
            used = processes.proportional_bytes(pids)  # forked workers share pages: count them once
        if used > self._memory_bytes:
            words = f"The model server took {size(used)}, more than its memory limit of {size(self._memory_bytes)}."
            self._stop(words, 0.0, now_s)

    def _stop(self, words: str, grace_s: float, now_s: float) -> None:
        self._stop_words = words
        self._kill_at_s = now_s + grace_s
        if grace_s:
            self._process.send_signal(signal.SIGTERM)

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in (self._process.pid, *processes.descendants(self._process.pid)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def _read_output(self) -> bool:
        """What there is. False at the end of the output."""
        while True:
            try:
                chunk = os.read(self._output, CHUNK_BYTES)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self._log.feed(chunk)

    def _words(self, code: int, out_of_memory: bool) -> str:
        last = self._log.last_words()
        if code == NOT_LOADED and last:
            return last
        if code < 0:
            why = " The machine had no memory left." if code == -signal.SIGKILL and out_of_memory else ""
            return f"The model server was ended by {signal.Signals(-code).name}.{why}"
        return f"The model server ended with exit code {code}." + (f" Its last words: {last}" if last else "")
