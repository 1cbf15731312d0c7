"""A web application over a real store and a real artifact folder. Runs are rows that the tests write."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from bot.domain.errors import TransientError, UserError
from bot.domain.run import EngineRun, EngineState
from bot.forges.plain.api import PlainForge
from bot.forges.plain.auth import signature
from bot.ports.artifacts import Artifacts
from bot.ports.engine import Submission
from bot.ports.store import Kind
from bot.settings import Settings, load_settings
from bot.store import SqlPlainRecords, SqlStore
from bot.web.actions import Actions
from bot.web.app import create_app
from bot.web.server import Server, listen
from bot.wiring.whole import build

HOOK_SECRET = "hook-secret-of-the-tests"


class StillEngine:
    """Runs stand where a test has put them."""

    name = "still"
    places: int | None = 2

    def __init__(self) -> None:
        self.runs: dict[str, EngineRun] = {}
        self.problem = ""

    def submit(self, submission: Submission) -> None:
        raise NotImplementedError("pages start nothing")

    def observe(self, run_ids: Sequence[str]) -> Mapping[str, EngineRun]:
        return {run_id: self.runs.get(run_id, EngineRun(run_id, EngineState.UNKNOWN)) for run_id in run_ids}

    def cancel(self, run_id: str) -> None:
        raise NotImplementedError("pages end nothing")

    def check_health(self) -> None:
        if self.problem:
            raise TransientError(self.problem)

    def close(self) -> None:
        pass


def push_body(**fields: Any) -> bytes:
    """What the post-receive hook sends of a push to `main`."""
    ref = {"ref": "refs/heads/main", "before": "0" * 40, "after": "a" * 40}
    return json.dumps({"repository": "plain/models", "pusher": "alice", "refs": [ref], **fields}).encode()


def push_headers(body: bytes, delivery_id: str = "d1") -> dict[str, str]:
    return {"X-MLOps-Bot-Delivery": delivery_id, "X-MLOps-Bot-Signature": signature(HOOK_SECRET, body)}


@dataclass
class Workplace:
    """What a test can put in place, and what the application did with it."""

    home: Path
    settings: Settings
    store: SqlStore
    records: SqlPlainRecords
    artifacts: Artifacts
    engine: StillEngine
    forge: PlainForge
    app: FastAPI
    wakes: list[Kind] = field(default_factory=list)
    acted: list[tuple[str, ...]] = field(default_factory=list)
    refusal: UserError | None = None

    @property
    def token(self) -> str:
        return self.settings.access_token

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def write(self, run_id: str, path: str, content: bytes) -> None:
        self.artifacts.write(run_id, path, content)


@contextmanager
def open_workplace(home: Path, **changes: Any) -> Iterator[Workplace]:
    """`changes` are of the settings."""
    environ = {"MLOPS_BOT_HOME": str(home), "MLOPS_BOT_PORT": "8321", "MLOPS_BOT_HOOK_SECRET": HOOK_SECRET}
    settings = replace(load_settings(environ), **changes)
    bot = build(settings)
    engine = StillEngine()
    bot.serving.start()
    world = replace(bot.world, engine=engine)
    place = Workplace(home, settings, bot.store, bot.records, world.artifacts, engine, bot.plain, FastAPI())
    place.app = create_app(world, settings, actions=_actions(place), wake=place.wakes.append)
    try:
        yield place
    finally:
        bot.serving.close()
        bot.git.close()
        bot.store.close()


def _actions(place: Workplace) -> Actions:
    def comment(repository: str, number: int, author: str, body: str) -> str:
        delivery = place.forge.say(repository, number, author, body)
        place.store.add_deliveries([delivery])
        return delivery.id

    def act(name: str, run_id: str, by: str) -> str:
        if place.refusal:
            raise place.refusal
        place.acted.append((name, run_id, by))
        return run_id

    return Actions(
        comment=comment,
        cancel_run=lambda run_id, by: act("cancel", run_id, by) and None,
        rerun_run=lambda run_id, by: act("rerun", run_id, by),
        posts=place.records.posts,
        checks=place.records.checks,
    )


def client(place: Workplace, **options: Any) -> httpx.AsyncClient:
    """Talks to the application itself, without a socket."""
    transport = httpx.ASGITransport(app=place.app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321", **options)


@contextmanager
def served(place: Workplace) -> Iterator[str]:
    """The application on a real port; gives its address."""
    listener = listen("127.0.0.1", 0)
    server = Server(place.app)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
