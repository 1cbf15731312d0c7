"""One process per SQLite file: a lock that the system itself lets go of when the process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bot.domain.errors import UserError


class FileLock:
    """Held from construction until `release`. Raises UserError when another process holds it."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode(errors="replace").strip()
            os.close(self._file)
            raise UserError(
                f"The database {database} is in use by another mlops-bot"
                + (f" (process {holder})." if holder else "."),
                "SQLite serves one process: stop the other one, or use PostgreSQL (MLOPS_BOT_DATABASE_URL).",
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
