"""A revision's folder: what its keeper and the bot know of one another, each file whole or not there at all.

| file | written by | means |
| --- | --- | --- |
| `order.json` | the bot, before a start | what to serve |
| `lock` | held (flock) by the keeper for its whole life | it is alive; nobody else may start |
| `started.json` | the keeper, first of all | its pid, and which start this is |
| `ready.json` | the keeper, once the model answers | where it answers, since when |
| `was-ready` | the keeper, with the first `ready.json` ever | it has worked once, so it is worth starting again |
| `exit.json` | the keeper, last of all | how it ended, in words |
| `log`, `log.1` | the keeper | its words and the server's, masked and bounded |

A lock that is free, and no `exit.json` of the newest start: the keeper was killed.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.file_lock import is_locked, try_lock

OWN_FILE_LIMIT_BYTES = 1_000_000
TAIL_LIMIT_BYTES = 64_000


@dataclass(frozen=True, slots=True)
class ServerFolder:
    """`path` is absolute, without links."""

    path: Path

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def code(self) -> Path:
        return self.path / "code"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def home(self) -> Path:
        return self.path / "home"

    @property
    def scratch(self) -> Path:
        return self.path / "tmp"

    @property
    def was_ready(self) -> bool:
        return (self.path / "was-ready").exists()

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        descriptor, beside = tempfile.mkstemp(prefix=f".{name}.", dir=self.path)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(descriptor)
        Path(beside).replace(self.path / name)

    def read(self, name: str) -> dict[str, Any] | None:
        try:
            with (self.path / name).open("rb") as file:
                content: dict[str, Any] = json.loads(file.read(OWN_FILE_LIMIT_BYTES))
        except FileNotFoundError:
            return None
        return content

    def forget(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def log_tail(self, lines: int) -> tuple[str, ...]:
        """The newest lines, the oldest of them first."""
        kept: list[str] = []
        for path in (self.log, self.log.with_suffix(".1")):
            kept = [*_last_lines(path), *kept]
            if len(kept) >= lines:
                break
        return tuple(kept[-lines:])

    def remove(self) -> bool:
        """Take the folder away, unless somebody is at work in it."""
        with self.lock() as mine:
            if mine:
                shutil.rmtree(self.path, ignore_errors=True)
            return mine

    @property
    def is_held(self) -> bool:
        """Whether a keeper lives."""
        return is_locked(self.path)

    def lock(self) -> AbstractContextManager[bool]:
        """Try to hold the lock; gives whether it worked. Free again when the block ends, or the process."""
        return try_lock(self.path)


def _last_lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_LIMIT_BYTES))
            text = file.read()
    except FileNotFoundError:
        return []
    lines = text.decode("utf-8", "replace").splitlines()
    return lines[1:] if size > TAIL_LIMIT_BYTES else lines
