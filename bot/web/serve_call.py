"""A prediction as its client sees it: the body on its way in, the answer on its way out, and whether it still waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import anyio
from starlette.types import Message, Receive, Scope, Send

from bot.web.serve_headers import Header, declared_length

GATHERED_BYTES = 64 * 1024  # what is not longer than this is sent on in one piece

# nginx's way with bodies that it does not want, in less time: who is still sending when the connection ends may never
# see the answer
LINGERS_FOR_S = 5.0
LINGERS_FOR_BYTES = 64 * 1024 * 1024

TOO_LARGE = 413
CLIENT_GONE = 499  # nginx's number: nobody is there to read it


class NoConnection(Exception):
    """Nothing was sent, so that it may be sent elsewhere."""


class Broken(Exception):
    """The model server hung up before its answer was whole, or did not speak HTTP."""


class Call:
    """`fault` says for which status the call was given up, 0 while it was not: `give_up` cancels whoever works on it.
    `is_whole` tells that all of the request has come in, `is_started` that an answer has begun. `revision_id` is whom
    it was handed to last."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, limit_bytes: int) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.declared_length = declared_length(dict(scope["headers"]))
        self.fault = 0
        self.revision_id = ""
        self.is_whole = False
        self.is_started = False
        self.give_up: Callable[[], None] = lambda: None
        self._receive = receive
        self._send = send
        self._limit_bytes = limit_bytes
        self._received_bytes = 0
        self._gathered = b""
        self._watcher: asyncio.Future[Message] | None = None

    async def gather(self) -> None:
        """Read the body, or its beginning if it is long."""
        if (self.declared_length or 0) > self._limit_bytes:
            await self._end(TOO_LARGE)
        pieces = []
        while not self.is_whole and self._received_bytes < GATHERED_BYTES:
            pieces.append(await self._next_piece())
        self._gathered = b"".join(pieces)

    @property
    def has_body(self) -> bool:
        return not self.is_whole or bool(self._gathered)

    def body(self) -> bytes | AsyncIterator[bytes]:
        """Once more for each attempt, as long as none of it was taken from an iterator."""
        return self._gathered if self.is_whole else self._pieces()

    async def start(self, status: int, headers: list[Header]) -> None:
        self.is_started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, body: bytes, *, more: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def linger(self) -> None:
        """Take what is still coming, and throw it away."""
        with anyio.move_on_after(LINGERS_FOR_S):
            left = LINGERS_FOR_BYTES
            while not self.is_whole and left > 0:
                message = await self._receive()
                self.is_whole = not message.get("more_body", False)
                left -= len(message.get("body", b""))

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    async def _pieces(self) -> AsyncIterator[bytes]:
        yield self._gathered
        while not self.is_whole:
            yield await self._next_piece()

    async def _next_piece(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            await self._end(CLIENT_GONE)
        piece: bytes = message.get("body", b"")
        self._received_bytes += len(piece)
        if self._received_bytes > self._limit_bytes:
            await self._end(TOO_LARGE)
        if not message.get("more_body", False):
            self.is_whole = True
            self._watch()
        return piece

    def _watch(self) -> None:
        """All that a client can still tell is that it goes away."""
        self._watcher = asyncio.ensure_future(self._receive())
        self._watcher.add_done_callback(self._on_disconnect)

    def _on_disconnect(self, watcher: asyncio.Future[Message]) -> None:
        if not watcher.cancelled():
            self.fault = CLIENT_GONE
            self.give_up()

    async def _end(self, fault: int) -> None:
        self.fault = fault
        self.give_up()
        await anyio.sleep_forever()  # until that takes effect, in whichever task this is
