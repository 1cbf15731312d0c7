"""The whole service in this process: the web server, the worker, and the engine's child."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import FrameType

from bot import logs
from bot.domain.errors import UserError
from bot.settings import Settings, publish_address, withdraw_address
from bot.web.actions import Actions
from bot.web.app import create_app
from bot.web.server import GRACE_S, Server, listen
from bot.wiring.doctor import machine_checks
from bot.wiring.github_setup import GitHubSetup
from bot.wiring.payloads import read_payload
from bot.wiring.serving import routes_of
from bot.wiring.whole import Bot, build

# a webhook's answer takes the interpreter's lock some ten times, and must not wait for the loop's threads so often;
# Python's own 5 ms are for throughput
SWITCH_INTERVAL_S = 0.0005
SAME_ASKING_S = 0.5  # timeout(1) and others signal a process, and then its whole group


class Service:
    """Listens first, so that the port is known before anything is told of it."""

    def __init__(self, settings: Settings) -> None:
        logs.configure(json_lines=settings.log_json, secrets=settings.secret_values)
        self._socket = _listen(settings.host, settings.port)
        self.settings = replace(settings, port=self._socket.getsockname()[1])
        self.bot: Bot = build(self.settings)
        github_setup = GitHubSetup(self.settings)
        actions = Actions(
            comment=self.bot.comment,
            cancel_run=self.bot.cancel,
            rerun_run=self.bot.rerun,
            posts=self.bot.records.posts,
            checks=self.bot.records.checks,
            machine_checks=machine_checks(self.settings),
            begin_github=github_setup.begin,
            finish_github=github_setup.finish,
            read_payload=partial(read_payload, self.bot.world.forges),
        )
        app = create_app(
            self.bot.world,
            self.settings,
            actions=actions,
            wake=self.bot.worker.wake,
            routes=routes_of(self.bot.serving),
            restarts=self.bot.worker.restarts,
        )
        self._server = Server(app)
        self._stop = threading.Event()
        self._asked_at = 0.0

    @property
    def access_address(self) -> str:
        return f"{self.settings.base_url}/?token={self.settings.access_token}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Serve until the block ends. Ctrl-C and SIGTERM end `wait`."""
        thread = threading.Thread(target=self._server.run, args=([self._socket],), name="web", daemon=True)
        previous = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            publish_address(self.settings)
            thread.start()
            self.bot.start()
            # what is loaded stays: a full collection that walks it holds the interpreter for tens of milliseconds
            gc.collect()
            gc.freeze()
            yield
        finally:
            gc.unfreeze()
            withdraw_address(self.settings)
            self._server.should_exit = True
            thread.join(GRACE_S + 2)
            self.bot.stop()
            for number, handler in previous.items():
                signal.signal(number, handler)

    def wait(self) -> None:
        self._stop.wait()

    def stop(self) -> None:
        self._stop.set()

    @property
    def is_stopping(self) -> bool:
        return self._stop.is_set()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set() and time.monotonic() - self._asked_at > SAME_ASKING_S:  # pressed again: now
            os._exit(128 + number)
        if not self._stop.is_set():
            self._asked_at = time.monotonic()
        self._stop.set()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except OSError as error:
        raise UserError(
            f"Port {port} of {host} can not be used: {error.strerror}.",
            "Is mlops-bot running already? Otherwise choose another: MLOPS_BOT_PORT=8400 (0 picks a free one).",
        ) from error
