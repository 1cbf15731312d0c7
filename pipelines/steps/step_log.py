"""The log of one step: masked, bounded, streamed line by line to the run's prefix; its end is kept for the report."""

from __future__ import annotations

import time
from collections import deque

from pipelines.steps.masking import Masker
from pipelines.steps.prefix import LogSink

LOG_LIMIT_BYTES = 50 * 1024 * 1024
TAIL_LINES = 200
TAIL_LINE_CHARACTERS = 2_000
TAIL_LIMIT_BYTES = 300_000
_TRACEBACK_LINES = 1_000  # kept beyond the tail, so that a deep traceback is read whole
_LONGEST_LINE_BYTES = 64 * 1024
# Progress bars end their redrawn line with a carriage return, many times a second.
_REDRAW_PAUSE_S = 2.0


class StepLog:
    def __init__(self, sink: LogSink, mask: Masker) -> None:
        self._sink = sink
        self._mask = mask
        self._pending = b""
        self._written = 0
        self._full = False
        self._redrawn_s = float("-inf")
        self._lines: deque[str] = deque(maxlen=_TRACEBACK_LINES)

    def say(self, text: str) -> None:
        """A line of our own."""
        for line in text.splitlines() or [""]:
            self._write(line)

    def feed(self, chunk: bytes) -> None:
        """Output of a command, as it comes from the pipe."""
        self._pending += chunk
        *lines, self._pending = self._pending.replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            self._write_raw(line.rpartition(b"\r")[2])
        self._write_redrawn()
        if len(self._pending) > _LONGEST_LINE_BYTES:
            self._write_start_of_long_line()

    def end_of_output(self) -> None:
        if self._pending:
            self._write_raw(self._pending.rpartition(b"\r")[2])
            self._pending = b""

    def tick(self) -> None:
        self._sink.tick(time.monotonic())

    def close(self) -> None:
        self.end_of_output()
        self._sink.close()

    def tail(self) -> list[str]:
        """The last lines, bounded in number, in length and in all."""
        lines = [line[:TAIL_LINE_CHARACTERS] for line in list(self._lines)[-TAIL_LINES:]]
        size = 0
        for kept, line in enumerate(reversed(lines)):
            size += len(line.encode("utf-8", "replace"))
            if size > TAIL_LIMIT_BYTES:
                return lines[len(lines) - kept :]
        return lines

    def recent_lines(self) -> list[str]:
        return list(self._lines)

    def _write_redrawn(self) -> None:
        """Of a line that is drawn over and over, now and then one state is written."""
        body = self._pending.removesuffix(b"\r")  # may be the first half of a line's "\r\n"
        drawn, separator, _ = body.rpartition(b"\r")
        if not separator:
            return
        self._pending = self._pending[len(drawn) + 1 :]
        state = drawn.rpartition(b"\r")[2]
        if state.strip() and time.monotonic() - self._redrawn_s >= _REDRAW_PAUSE_S:
            self._write_raw(state)
            self._redrawn_s = time.monotonic()

    def _write_start_of_long_line(self) -> None:
        """Masked before it is cut, and cut before anything that may be the beginning of a secret."""
        masked = self._mask(self._pending.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        kept = 4 * self._mask.longest  # a character has at most 4 bytes
        self._write_raw(masked[: len(masked) - kept])
        self._pending = masked[len(masked) - kept :]

    def _write_raw(self, line: bytes) -> None:
        self._write(line.decode("utf-8", "replace"))

    def _write(self, line: str) -> None:
        line = self._mask(line)
        self._lines.append(line)
        content = line.encode("utf-8", "replace") + b"\n"
        if self._full:
            return
        if self._written + len(content) > LOG_LIMIT_BYTES:
            self._full = True
            content = f"(the log ends here: it is larger than {LOG_LIMIT_BYTES // 1024**2} MB)\n".encode()
        self._written += len(content)
        self._sink.write(content)
