"""`/serve/<environment>/<model>/v2/…` and `/v1/…`: predictions, passed on to the model servers that run now."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import structlog
from prometheus_client import CollectorRegistry
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from bot.ports.serving import Backend, Routes
from bot.settings import Settings
from bot.web.hosts import UNKNOWN_HOST, is_known_host, known_hosts
from bot.web.serve_address import Address, choose, read_address
from bot.web.serve_call import CLIENT_GONE, TOO_LARGE, Broken, Call, NoConnection
from bot.web.serve_headers import REVISION, public_name
from bot.web.serve_meters import PredictionMeters

if TYPE_CHECKING:
    from bot.web.serve_upstream import Upstream

METHODS = ("GET", "HEAD", "POST")
LATER = {"Retry-After": "2"}
LOG_EVERY_S = 1.0
REQUEST_TIMEOUT = 408
HOW_TO_ASK = (
    "Send the prediction token as `Authorization: Bearer …`. It is what MLOPS_BOT_PREDICT_TOKEN says; where that is not"
    " set, it is in `predict-token` in the bot's home folder."
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    body_bytes: int = 64 * 1024 * 1024
    total_s: float = 60.0
    at_once: int = 256  # each holds two of the service's file descriptors


DEFAULT_LIMITS = Limits()


class Refusal(Exception):
    """An answer of our own."""

    def __init__(self, status: int, words: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.headers = headers or {}


class Predictions:
    """A bare ASGI application that looks after itself: nothing here is for browsers, and no cookie opens it."""

    prefix = "/serve/"
    path = "/serve/{environment}/{model}"  # names it among the routes

    def __init__(
        self,
        routes: Routes | None,
        settings: Settings,
        registry: CollectorRegistry,
        *,
        limits: Limits = DEFAULT_LIMITS,
        random: Random | None = None,
    ) -> None:
        self._routes = routes
        self._tokens = (settings.predict_token.encode(), settings.access_token.encode())
        self._hosts = known_hosts(settings)
        self._meters = PredictionMeters(registry)
        self._limits = limits
        self._random = random or Random()  # noqa: S311 - spreads load, keeps no secret
        self._upstream: Upstream | None = None
        self._at_once = 0
        self._next_log_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        call = Call(scope, receive, send, limit_bytes=self._limits.body_bytes)
        try:
            routes, address = self._admit(scope)
        except Refusal as refusal:
            await _refuse(call, refusal)
            return
        began, status = perf_counter(), 500
        try:
            status = await self._predict(call, routes, address)
        finally:
            self._meters.note(address.environment, address.model, status, perf_counter() - began)

    async def close(self) -> None:
        if self._upstream is not None:
            await self._upstream.close()

    def _admit(self, scope: Scope) -> tuple[Routes, Address]:
        """Raises Refusal; only those with a token learn what is served."""
        headers = Headers(scope=scope)
        if not is_known_host(headers.get("host", ""), self._hosts):
            raise Refusal(400, UNKNOWN_HOST)
        if scope["method"] not in METHODS:
            raise Refusal(405, f"Use {', '.join(METHODS)}.", {"Allow": ", ".join(METHODS)})
        if not self._is_open_to(headers.get("authorization", "")):
            raise Refusal(401, HOW_TO_ASK, {"WWW-Authenticate": "Bearer"})
        if self._routes is None:
            raise Refusal(404, "This service serves no models.")
        address = read_address(scope["path"], scope["query_string"])
        if address is None:
            raise Refusal(404, "Predictions are at /serve/<environment>/<model>/v2/models/… and …/v1/models/….")
        if self._routes.backends(address.environment, address.model) is None:
            raise _unknown()
        if self._at_once >= self._limits.at_once:
            raise Refusal(503, "Too many predictions are being made at once.", LATER)
        return self._routes, address

    def _is_open_to(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        given = token.strip().encode()
        # both are compared, always
        opened = [hmac.compare_digest(given, known) for known in self._tokens]
        return scheme.lower() == "bearer" and any(opened)

    async def _predict(self, call: Call, routes: Routes, address: Address) -> int:
        """Gives the status that the client got, or would have got."""
        self._at_once += 1
        try:
            with anyio.move_on_after(self._limits.total_s) as time_left:
                call.give_up = time_left.cancel
                await call.gather()
                return await self._hand_over(call, routes, address)
            refusal = self._given_up(call)
        except Refusal as error:
            refusal = error
        finally:
            call.close()
            self._at_once -= 1
        await _refuse(call, refusal)
        return refusal.status

    def _given_up(self, call: Call) -> Refusal:
        status = _status_of_given_up(call)
        words = {
            TOO_LARGE: f"The body is larger than {self._limits.body_bytes // 1024 // 1024} MB.",
            CLIENT_GONE: "",
            REQUEST_TIMEOUT: f"The request did not come in within {self._limits.total_s:g} s.",
            504: f"The model server did not answer within {self._limits.total_s:g} s.",
        }
        return Refusal(status, words[status], _of(call.revision_id))

    async def _hand_over(self, call: Call, routes: Routes, address: Address) -> int:
        """To a second model server where the first takes no connection, or to the same where there is no other."""
        if call.method != "POST" and call.has_body:
            raise Refusal(400, f"A {call.method} request has no body.")
        upstream = self._upstream or await self._open()
        refused = ""
        for _ in range(2):
            backends = routes.backends(address.environment, address.model)
            if backends is None:
                raise _unknown()
            backend = choose(backends, at=self._random.random(), avoiding=refused)
            if backend is None:
                raise Refusal(503, "No version of this model is ready. Ask again in a few seconds.", LATER)
            status = await self._attempt(call, routes, address, backend, upstream)
            if status is not None:
                return status
            refused = backend.revision_id
        words = "The model server takes no connections. Ask again in a few seconds."
        raise Refusal(503, words, {**LATER, **_of(refused)})

    async def _attempt(
        self, call: Call, routes: Routes, address: Address, backend: Backend, upstream: Upstream
    ) -> int | None:
        """The status of the answer; None when nothing was sent."""
        began, status = perf_counter(), None
        call.revision_id = backend.revision_id
        routes.entered(backend.revision_id)
        try:
            if not _is_named(backend, routes, address):  # no more, and it may have been ended before it was entered
                return None
            status = await upstream.exchange(call, backend, prefix=address.prefix, target=address.target)
        except anyio.get_cancelled_exc_class():
            status = _status_of_given_up(call)
            raise
        except NoConnection as error:
            self._log(address, backend, error)
        except Broken as error:
            self._log(address, backend, error)
            words = "The model server hung up before its answer was whole."
            raise Refusal(502, words, _of(backend.revision_id)) from error
        finally:
            routes.left(backend.revision_id, status=status, elapsed_s=perf_counter() - began)
        return status

    async def _open(self) -> Upstream:
        """When the first prediction is asked for: importing aiohttp takes 0.15 s, and 8 MB."""
        await anyio.to_thread.run_sync(import_module, "bot.web.serve_upstream")
        from bot.web.serve_upstream import Upstream

        if self._upstream is None:
            self._upstream = Upstream()
        return self._upstream

    def _log(self, address: Address, backend: Backend, error: Exception) -> None:
        """A broken model server may be asked a thousand times a second; that is said once."""
        now = time.monotonic()
        if now < self._next_log_at:
            return
        self._next_log_at = now + LOG_EVERY_S
        log.warning(
            "prediction_failed",
            environment=address.environment,
            model=address.model,
            revision=backend.revision_id,
            reason=str(error),
        )


def _status_of_given_up(call: Call) -> int:
    return call.fault or (504 if call.is_whole else REQUEST_TIMEOUT)


def _is_named(backend: Backend, routes: Routes, address: Address) -> bool:
    named = routes.backends(address.environment, address.model) or ()
    return any(backend.revision_id == other.revision_id for other in named)


def _of(revision_id: str) -> dict[str, str]:
    return {REVISION: public_name(revision_id)} if revision_id else {}


def _unknown() -> Refusal:
    return Refusal(404, "No model of this name is served in an environment of this name.")


async def _refuse(call: Call, refusal: Refusal) -> None:
    """Where an answer has begun, the server sees that it is not whole, and ends the connection."""
    if call.is_started or call.fault == CLIENT_GONE:
        return
    body = json.dumps({"error": refusal.words}).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        **({} if call.is_whole else {"connection": "close"}),
        **refusal.headers,
    }
    await call.start(refusal.status, [(name.lower().encode(), value.encode()) for name, value in headers.items()])
    await call.send(body, more=True)
    if refusal.status != REQUEST_TIMEOUT:
        await call.linger()
    await call.send(b"")
