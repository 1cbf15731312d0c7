"""Clients that send webhooks over kept-open connections, and cost little themselves."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import cast

import uvloop

Body = tuple[bytes, str]  # with its signature

PACED_CONNECTIONS = 16


def full_load(port: int, bodies: Sequence[Body], connections: int, seconds: float) -> list[float]:
    """Latencies in seconds of all that was accepted; each connection sends the next as soon as it has an answer."""

    async def load() -> list[float]:
        latencies: list[float] = []
        end = perf_counter() + seconds

        async def one(client: Client, number: int) -> None:
            while perf_counter() < end:
                latencies.append(await client.send(*bodies[number % len(bodies)]))

        clients = [await connect(port) for _ in range(connections)]
        await asyncio.gather(*(one(client, number) for number, client in enumerate(clients)))
        for client in clients:
            client.close()
        return latencies

    return uvloop.run(load())


def paced(port: int, bodies: Sequence[Body], per_s: int, seconds: float) -> list[float]:
    """One every few milliseconds, whether or not the former was answered; waiting for a free connection counts."""

    async def load() -> list[float]:
        free: asyncio.Queue[Client] = asyncio.Queue()
        for _ in range(PACED_CONNECTIONS):
            free.put_nowait(await connect(port))
        began, latencies = perf_counter(), []

        async def at_its_time(number: int) -> None:
            due = began + number / per_s
            await asyncio.sleep(max(0.0, due - perf_counter()))
            sent = perf_counter()
            client = await free.get()
            await client.send(*bodies[number % len(bodies)])
            latencies.append(perf_counter() - sent)
            free.put_nowait(client)

        await asyncio.gather(*(at_its_time(number) for number in range(int(per_s * seconds))))
        while not free.empty():
            free.get_nowait().close()
        return latencies

    return uvloop.run(load())


def send_one(port: int, body: Body) -> float:
    async def load() -> float:
        client = await connect(port)
        try:
            return await client.send(*body)
        finally:
            client.close()

    return uvloop.run(load())


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


async def connect(port: int) -> Client:
    _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", port)
    return client


class Client(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[None] | None = None
        self.close: Callable[[], None] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name
        self.close = transport.close

    async def send(self, body: bytes, signature: str) -> float:
        """Seconds until it was accepted. Raises RuntimeError for any other answer."""
        began = perf_counter()
        self._answer = asyncio.get_running_loop().create_future()
        head = (
            "POST /webhooks/plain HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"X-MLOps-Bot-Delivery: {uuid.uuid4()}\r\nX-MLOps-Bot-Signature: {signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)
        await self._answer
        return perf_counter() - began

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        self._received = b""
        assert self._answer is not None
        if head.startswith(b"HTTP/1.1 202"):
            self._answer.set_result(None)
        else:
            self._answer.set_exception(RuntimeError(f"not accepted: {head[:40]!r} {body[:200]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the service hung up: {error}"))
