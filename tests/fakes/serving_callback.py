"""The bot's side of the pipeline `deploy`, without a bot: `GET` and `POST /callbacks/runs/<run>/serving`.

Strict: what a step must not ask is answered 400 and remembered in `mistakes`, which the fixture wants empty.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.json_server import serving_json

QUIET = {"requests": 0, "errors": 0, "p99_ms": None}


@dataclass
class ServingCallback:
    """`starting` looks are answered so before it is ready. `traffic` are the answers at a share, of which the last is
    repeated. `ends_at` is a share at which the server dies, and `restarts_at` one at which it dies and is up again
    after a few looks. `refuses` is what is answered with 409, `canceled_at` the look at a share from which on all is.
    `outage` requests of the kind `outage_at` are answered 503."""

    run_id: str
    address: str  # where the model server answers
    token: str = "token-of-this-run"
    url: str = ""
    starting: int = 2
    fails: tuple[str, list[str]] | None = None
    ends_at: int | None = None
    restarts_at: int | None = None
    canceled_at: int | None = None
    refuses: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    traffic: Mapping[int, list[dict[str, Any]]] = field(default_factory=dict)
    outage: int = 0
    outage_at: str = "apply"
    status: int | None = None  # answers this to everything
    asked: list[str] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)
    _wanted: bool = False
    _percent: int = 0
    _looks: int = 0  # at the present share
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, Any]:
        with self._lock:
            if headers["Authorization"] != f"Bearer {self.token}":
                return 401, {}
            if (method, path) == ("POST", f"/callbacks/runs/{self.run_id}"):
                self.told.append(body)
                return 202, {}
            if path != f"/callbacks/runs/{self.run_id}/serving":
                return self._mistake(f"{method} {path}")
            if self.status is not None:
                return self.status, {}
            return self._serving(method, body)

    def _serving(self, method: str, body: Any) -> tuple[int, Any]:
        asked = "look" if method == "GET" else self._order(body)
        if not asked:
            return self._mistake(f"{method} {body}")
        if self.outage > 0 and asked == self.outage_at:
            self.outage -= 1
            return 503, b"<html>starting</html>"
        if not self.asked or asked != "look":
            self.asked.append(asked)
        refusal = self._refusal(asked)
        if refusal is not None:
            return 409, {"problem": refusal[0], "fix": refusal[1]}
        if asked == "look" and not self._wanted:
            return self._mistake("a look before anything was applied")
        if asked == "apply":
            self._wanted = True
        elif asked != "look":
            if self._state() != "ready":
                return self._mistake(f"{asked} while it is {self._state()}")
            self._percent, self._looks = body["percent"], 0
            if self._percent == self.restarts_at:
                self.starting = 6
        return 200, self._standing()

    def _refusal(self, asked: str) -> tuple[str, str] | None:
        if self.canceled_at is not None and self._looks >= self.canceled_at:
            return "bob canceled this deployment.", ""
        return self.refuses.get(asked)

    def _order(self, body: Any) -> str:
        if body == {"do": "apply"}:
            return "apply"
        percent = body.get("percent")
        is_whole = isinstance(percent, int) and not isinstance(percent, bool) and 1 <= percent <= 100
        if is_whole and body == {"do": "promote", "percent": percent}:
            return f"promote {percent}"
        return ""

    def _state(self) -> str:
        if self.ends_at is not None and self._percent >= self.ends_at:
            return "failed"
        if self.starting > 0:
            return "starting"
        return "failed" if self.fails else "ready"

    def _standing(self) -> dict[str, Any]:
        state = self._state()
        self.starting = max(0, self.starting - 1)
        answers = self.traffic.get(self._percent, [QUIET])
        traffic = answers[min(self._looks, len(answers) - 1)]
        self._looks += 1
        message, log = ("", []) if state != "failed" else self.fails or ("its process was ended by SIGKILL", [])
        return {
            "state": state,
            "percent": self._percent,
            "address": self.address if state == "ready" else "",
            "message": message,
            "log": log,
            "traffic": traffic,
        }

    def _mistake(self, what: str) -> tuple[int, Any]:
        self.mistakes.append(what)
        return 400, {}


@contextmanager
def serving_callback(run_id: str, address: str) -> Iterator[ServingCallback]:
    bot = ServingCallback(run_id, address)
    with serving_json(bot.respond) as own_address:
        bot.url = f"{own_address}/callbacks/runs/{run_id}"
        yield bot
    assert bot.mistakes == []
