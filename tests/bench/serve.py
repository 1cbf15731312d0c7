"""What the proxy adds to a prediction: the same requests to a model server directly and through the bot, in turns."""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import uvloop

from tests.bench import kserve_server, lone_proxy, lone_server
from tests.bench.table import Row
from tests.bench.webhook_clients import quantile

CONNECTIONS = 16
GOAL_ADDED_MS = 1.5
GOAL_PER_S = 1000
PATH = f"/v2/models/{kserve_server.MODEL}/infer"
ROW = [round(n * 0.12345, 5) for n in range(kserve_server.FEATURES)]
INPUT = {"name": "input-0", "shape": [1, len(ROW)], "datatype": "FP64", "data": ROW}
BODY = json.dumps({"inputs": [INPUT]}).encode()


@dataclass(frozen=True, slots=True)
class Door:
    """Where predictions are asked for."""

    port: int
    prefix: str = ""
    token: str = ""

    def request(self) -> bytes:
        head = [
            f"POST {self.prefix}{PATH} HTTP/1.1",
            "Host: 127.0.0.1",
            "Content-Type: application/json",
            f"Authorization: Bearer {self.token}",
            f"Content-Length: {len(BODY)}",
        ]
        return "\r\n".join([*head, "", ""]).encode() + BODY


def measure(*, quick: bool) -> list[Row]:
    """The least server shows the proxy alone; kserve's, what people will see."""
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as name:
        folder = Path(name)
        with lone_server.serving() as port:
            least = compare("least server", port, folder / "least", quick=quick)
        with kserve_server.serving(folder / "kserve") as port:
            return [*least, *compare("kserve, sklearn", port, folder / "bot", quick=quick)]


def compare(name: str, port: int, home: Path, *, quick: bool) -> list[Row]:
    """Rows for one model server that listens on `port`."""
    rounds, seconds = (5, 0.6) if quick else (9, 1.0)
    with lone_proxy.serving(home, f"http://127.0.0.1:{port}") as proxy_port:
        direct = Door(port)
        through = Door(proxy_port, f"/serve/{lone_proxy.ENVIRONMENT}/{lone_proxy.MODEL}", lone_proxy.TOKEN)
        for door in (direct, through):
            ask(door, connections=CONNECTIONS, seconds=0.5)  # connections, caches, imports
        alone = [_pair(direct, through, 1, seconds) for _ in range(rounds)]
        crowd = [_pair(direct, through, CONNECTIONS, seconds) for _ in range(rounds)]
    halves = [[[quantile(latencies, 0.5) * 1000 for latencies in pair][side] for pair in alone] for side in (0, 1)]
    added = median(after - before for before, after in zip(*halves, strict=True))
    rates = [median(len(pair[side]) / seconds for pair in crowd) for side in (0, 1)]
    return [
        Row(
            f"prediction, added by the proxy at p50 ({name})", added, "ms", GOAL_ADDED_MS,
            reference=median(halves[0]), reference_name="direct", ratio=median(halves[1]) / median(halves[0]),
        ),
        Row(
            f"predictions through the proxy, {CONNECTIONS} connections ({name})", rates[1], "/s",
            GOAL_PER_S if rates[0] >= GOAL_PER_S else None, "at least",
            reference=rates[0], reference_name="direct", ratio=rates[1] / rates[0],
        ),
    ]  # fmt: skip


def _pair(direct: Door, through: Door, connections: int, seconds: float) -> tuple[list[float], list[float]]:
    first = ask(direct, connections=connections, seconds=seconds)
    return first, ask(through, connections=connections, seconds=seconds)


def ask(door: Door, *, connections: int, seconds: float) -> list[float]:
    """Latencies in seconds; each connection asks again as soon as it has an answer."""

    async def load() -> list[float]:
        latencies: list[float] = []
        request = door.request()
        end = perf_counter() + seconds

        async def one() -> None:
            _, client = await asyncio.get_running_loop().create_connection(Client, "127.0.0.1", door.port)
            while perf_counter() < end:
                began = perf_counter()
                await client.ask(request)
                latencies.append(perf_counter() - began)
            client.transport.close()

        await asyncio.gather(*(one() for _ in range(connections)))
        return latencies

    return uvloop.run(load())


class Client(asyncio.Protocol):
    """Costs little itself."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is one in all but name

    async def ask(self, request: bytes) -> None:
        """Raises RuntimeError for any answer but 200."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return
        self._received = b""
        assert self._answer is not None
        if head.startswith(b"HTTP/1.1 200"):
            self._answer.set_result(None)
        else:
            self._answer.set_exception(RuntimeError(f"no prediction: {head[:40]!r} {body[:200]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server hung up: {error}"))
