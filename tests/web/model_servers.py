"""Small model servers for tests: they note what they were asked, byte by byte, and answer as they were told to.

They stand for servers outside, so they are strict: what is not HTTP/1.1 as it is written is an error of the test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.ports.serving import Backend


@dataclass
class Asked:
    """One request as it came in. `writer` answers it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    writer: asyncio.StreamWriter

    def header(self, name: str) -> str | None:
        values = [value for given, value in self.headers if given.lower() == name]
        assert len(values) < 2, f"{name} came twice"
        return values[0] if values else None

    async def answer(self, body: bytes, *, status: int = 200, headers: Sequence[str] = ()) -> None:
        head = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", *headers]
        self.writer.write("\r\n".join([*head, "", ""]).encode() + (b"" if self.method == "HEAD" else body))
        await self.writer.drain()


PREDICTION = b'{"outputs": []}'


class Reader(asyncio.StreamReader):
    """Tells when the other side has hung up, without reading."""

    def __init__(self) -> None:
        super().__init__()
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()


Answer = Callable[[Asked], Awaitable[None]]


@dataclass
class ModelServer:
    """`connections` counts all that were ever made. `hung_up`: a caller left in the middle of a request."""

    name: str
    answer: Answer
    keeps_bodies: bool = True
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    read_bytes: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    def backend(self, percent: int = 100) -> Backend:
        return Backend(self.name, f"http://127.0.0.1:{self.port}", percent)

    async def serve(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()

    async def _one(self, reader: Reader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return False
        first, *lines = head.decode("utf-8").removesuffix("\r\n\r\n").split("\r\n")
        method, target, version = first.split(" ")
        assert version == "HTTP/1.1"
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        asked = Asked(method, target, headers, b"", writer)
        asked.body = await self._body(asked, reader)
        self.asked.append(asked)
        self.was_asked.set()
        answering, leaving = asyncio.ensure_future(self.answer(asked)), asyncio.ensure_future(reader.ended.wait())
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not answering.done():
            answering.cancel()
            raise ConnectionError("the caller hung up")
        answering.result()
        return not writer.is_closing()

    async def _body(self, asked: Asked, reader: Reader) -> bytes:
        if asked.header("transfer-encoding") is None:
            return await self._take(reader, int(asked.header("content-length") or 0))
        assert (asked.header("transfer-encoding"), asked.header("content-length")) == ("chunked", None)
        body = b""
        while length := int(await reader.readuntil(b"\r\n"), 16):
            body += await self._take(reader, length)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
        return body

    async def _take(self, reader: Reader, length: int) -> bytes:
        pieces = []
        while length:
            piece = await reader.read(min(length, 65536))
            if not piece:
                raise asyncio.IncompleteReadError(b"", length)
            length -= len(piece)
            self.read_bytes += len(piece)
            if self.keeps_bodies:
                pieces.append(piece)
        return b"".join(pieces)


async def predict(asked: Asked) -> None:
    await asked.answer(PREDICTION, headers=["Content-Type: application/json"])


@asynccontextmanager
async def model_server(
    name: str, answer: Answer = predict, *, keeps_bodies: bool = True, port: int = 0
) -> AsyncIterator[ModelServer]:
    server = ModelServer(name, answer, keeps_bodies)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: asyncio.StreamReaderProtocol(Reader(), server.serve), "127.0.0.1", port)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


@dataclass
class ToldRoutes:
    """What is desired is what a test says; entries and leavings are noted."""

    services: dict[tuple[str, str], Sequence[Backend]] = field(default_factory=dict)
    entries: list[str] = field(default_factory=list)
    ends: list[tuple[str, int | None]] = field(default_factory=list)

    def backends(self, environment: str, model: str) -> Sequence[Backend] | None:
        return self.services.get((environment, model))

    def entered(self, revision_id: str) -> None:
        self.entries.append(revision_id)

    def left(self, revision_id: str, *, status: int | None, elapsed_s: float) -> None:
        self.ends.append((revision_id, status))

    @property
    def inside(self) -> int:
        return len(self.entries) - len(self.ends)
