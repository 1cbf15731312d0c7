"""A plain-git forge with everything real around it: repositories, the hook, a receiver on a port of its own, SQLite."""

from __future__ import annotations

import atexit
import queue
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bot.domain.change import Delivery, Event, Repository
from bot.forges.plain import PlainForge
from bot.mirror import GitMirror
from bot.store import SqlPlainRecords, SqlStore, open_store
from tests.contracts.git_workshop import Worktree

SECRET = "a secret of the hook"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WAIT_S = 20.0


@cache
def migrated_database() -> Path:
    """Migrating takes longer than the rest of a test, so it is done once for each worker."""
    folder = Path(tempfile.mkdtemp(prefix="mlops-bot-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_store(f"sqlite:///{folder / 'bot.sqlite3'}").close()
    return folder / "bot.sqlite3"


@dataclass(frozen=True)
class Message:
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Takes webhooks as the service does. `statuses` are answered one after the other; when they are used up, 202."""

    def __init__(self, *statuses: int) -> None:
        self.messages: queue.Queue[Message] = queue.Queue()
        answers = list(statuses)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:  # noqa: N805 - `self` is the receiver
                body = handler.rfile.read(int(handler.headers["content-length"]))
                headers = {name.lower(): value for name, value in handler.headers.items()}
                handler.send_response(answers.pop(0) if answers else 202)
                handler.send_header("content-length", "0")
                handler.end_headers()
                self.messages.put(Message(handler.path, headers, body))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def next(self) -> Message:
        return self.messages.get(timeout=WAIT_S)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class PlainWorld:
    """One repository, `plain/models`, and somebody who works in a clone of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.receiver = Receiver()
        self.publish(self.receiver.url)
        shutil.copyfile(migrated_database(), folder / "bot.sqlite3")
        self.store: SqlStore = open_store(f"sqlite:///{folder / 'bot.sqlite3'}")
        self.records = SqlPlainRecords(self.store.database)
        self.git = GitMirror(self.home, allow_local=True)
        self.forge = self.new_forge()
        self.worktree = Worktree(folder / "work", self.home / "repositories" / "models.git")
        self.forge.repositories()

    def new_forge(self) -> PlainForge:
        return PlainForge(
            self.home / "repositories",
            home=self.home,
            records=self.records,
            git=self.git,
            hook_secret=SECRET,
            clock=lambda: NOW,
        )

    @property
    def repository(self) -> Repository:
        return next(found for found in self.forge.repositories() if found.key == "plain/models")

    def publish(self, url: str) -> None:
        (self.home / "service-url").write_text(url, encoding="ascii")

    def push(self, *refspecs: str) -> list[Event]:
        """Push, wait for the hook's message, and give what it means."""
        self.worktree.push(*refspecs)
        return list(self.forge.events(self.delivery()))

    def delivery(self) -> Delivery:
        message = self.receiver.next()
        assert message.path == "/webhooks/plain"
        delivery = self.forge.open_envelope(message.headers, message.body)
        assert delivery is not None
        return delivery

    def events_of(self, delivery: Delivery) -> Sequence[Event]:
        return self.forge.events(delivery)

    def close(self) -> None:
        self.git.close()
        self.store.close()
        self.receiver.close()
