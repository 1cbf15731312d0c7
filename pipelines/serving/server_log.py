"""The log of a revision: masked, and two files of bounded size for a server that may run for months."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

from pipelines.steps.masking import Masker
from pipelines.steps.step_log import StepLog

FILE_LIMIT_BYTES = 5 * 1024 * 1024


class ServerLog:
    """What a server prints, line by line; also of earlier starts, which it goes on from."""

    def __init__(self, path: Path, *, limit_bytes: int = FILE_LIMIT_BYTES) -> None:
        self._sink = _RotatingFile(path, limit_bytes)
        self._limit_bytes = limit_bytes
        self._mask = Masker()
        self._log = StepLog(self._sink, self._mask)

    def say(self, text: str) -> None:
        """A line of our own."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        self._log.say("\n".join(f"{now} {line}" for line in text.splitlines()))

    def feed(self, chunk: bytes) -> None:
        if self._sink.written > self._limit_bytes:  # a log of a step ends when it is full; this one goes on
            self._log.end_of_output()
            self._log = StepLog(self._sink, self._mask)
            self._sink.written = 0
        self._log.feed(chunk)

    def end_of_output(self) -> None:
        self._log.end_of_output()

    def last_words(self) -> str:
        """The last line that says something."""
        lines = (line.strip() for line in reversed(self._log.tail()))
        return next((line for line in lines if line), "")

    def close(self) -> None:
        self._log.close()


class _RotatingFile:
    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self.written = 0

    def write(self, content: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk costs lines, and must not cost the server
            self._write(content)

    def _write(self, content: bytes) -> None:
        if self._size + len(content) > self._limit_bytes:
            self._path.replace(self._path.with_suffix(".1"))
            full, self._file = self._file, self._path.open("wb", buffering=0)
            full.close()
            self._size = 0
        self._file.write(content)
        self._size += len(content)
        self.written += len(content)

    def tick(self, now_s: float) -> None: ...

    def close(self) -> None:
        self._file.close()
