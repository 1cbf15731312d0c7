"""A growing log, piece by piece: whole lines, without terminal codes, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.masking import mask
from bot.ports.artifacts import Artifacts

TAIL_BYTES = 64 * 1024  # shown when a page opens
PIECE_BYTES = 128 * 1024  # sent at once
BEHIND_BYTES = 1024 * 1024  # a reader that is further behind skips to the tail
LONGEST_LINE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Piece:
    """`end` is the offset in bytes behind it, `skipped` how many bytes before it are left out."""

    text: str
    end: int
    skipped: int = 0


class LogReader:
    """`secrets` are values that must not be seen, on top of what has the shape of one."""

    def __init__(self, artifacts: Artifacts, *, secrets: Iterable[str]) -> None:
        self._artifacts = artifacts
        self._secrets = tuple(secrets)

    def tail(self, run_id: str, step: str, *, size: int, ended: bool) -> Piece:
        """The last lines of a log that has `size` bytes now."""
        start = max(0, size - TAIL_BYTES)
        raw = self._artifacts.read_from(run_id, log_path(step), offset=start, limit_bytes=TAIL_BYTES)
        if start:
            _, _, raw_lines = raw.partition(b"\n")
            start += len(raw) - len(raw_lines)
            raw = raw_lines
        return self._piece(raw, start=start, skipped=start, ended=ended)

    def after(self, run_id: str, step: str, *, offset: int, size: int | None, ended: bool) -> Piece:
        """What has come since `offset`; `size` where it is known."""
        if size is not None and size - offset > BEHIND_BYTES:
            tail = self.tail(run_id, step, size=size, ended=ended)
            return Piece(tail.text, tail.end, skipped=tail.skipped - offset)
        raw = self._artifacts.read_from(run_id, log_path(step), offset=offset, limit_bytes=PIECE_BYTES)
        return self._piece(raw, start=offset, skipped=0, ended=ended)

    def _piece(self, raw: bytes, *, start: int, skipped: int, ended: bool) -> Piece:
        whole = raw if ended and len(raw) < PIECE_BYTES else whole_lines(raw)
        return Piece(mask(readable(whole), self._secrets), start + len(whole), skipped)


def log_path(step: str) -> str:
    return f"logs/{step}.log"


def is_plain_step_name(name: str) -> bool:
    """Whether a step's name can be part of a path, an element's id and an event's name."""
    return _PLAIN_NAME.fullmatch(name) is not None


def whole_lines(raw: bytes) -> bytes:
    """Up to the last line end, so that no character, line or terminal code is cut; an endless line is cut anyway."""
    end = raw.rfind(b"\n") + 1
    return raw[:end] if end or len(raw) < LONGEST_LINE_BYTES else raw


def readable(raw: bytes) -> str:
    """As a terminal would show it at the end: progress bars that rewrite their line leave its last state."""
    text = _TERMINAL_CODE.sub("", raw.decode("utf-8", errors="replace").replace("\r\n", "\n"))
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _REWRITTEN.sub("", text))


_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TERMINAL_CODE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_REWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])|\r")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
