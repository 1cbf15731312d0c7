"""The least that a durable receiver can be: an ASGI application, sqlite3, one commit for all that wait."""

from __future__ import annotations

import asyncio
import hmac
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.served import HOOK_SECRET


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """A process of its own; gives its port."""
    command = [sys.executable, "-m", "tests.bench.bare_receiver", str(folder / "bare.sqlite3")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class Application:
    def __init__(self, file: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE deliveries (id TEXT PRIMARY KEY, repository TEXT, body BLOB)")
        self._waiting: list[tuple[tuple[str, str, bytes], asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = dict(scope["headers"])
        expected = b"sha256=" + hmac.new(HOOK_SECRET.encode(), body, "sha256").hexdigest().encode()
        if not hmac.compare_digest(expected, headers[b"x-mlops-bot-signature"]):
            raise PermissionError
        row = (headers[b"x-mlops-bot-delivery"].decode(), json.loads(body)["repository"], body)
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((row, stored))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        await stored
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    async def _commit(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.get_running_loop().run_in_executor(self._thread, self._store, [row for row, _ in batch])
            for _, stored in batch:
                stored.set_result(None)
        self._committing = None

    def _store(self, rows: list[tuple[str, str, bytes]]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?)", rows)
        self._database.execute("COMMIT")


def main() -> None:
    import uvicorn

    from bot.web.server import listen

    listener = listen("127.0.0.1", 0)
    application: Any = Application(sys.argv[1])
    config = uvicorn.Config(
        application, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="error"
    )
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
