"""How fast webhooks are accepted: the real application on SQLite in one process, and clients on raw sockets.

`main()` prints a table; `measure(...)` gives its numbers. Load is bounded, and everything stays on this machine.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 32
FULL_LOAD_S = 4.0
PACED_S = 4.0
PACED_PER_S = 300
# of the size of GitHub's comment events
PADDING = "x" * 6000


@dataclass(frozen=True, slots=True)
class Measured:
    """`accepted_per_s` at full load; latencies at `PACED_PER_S`, in milliseconds."""

    accepted_per_s: float
    full_load_p99_ms: float
    paced_p50_ms: float
    paced_p99_ms: float
    start_s: float


def measure(*, connections: int = CONNECTIONS, full_load_s: float = FULL_LOAD_S, paced_s: float = PACED_S) -> Measured:
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as home, _served(Path(home)) as (port, start_s):
        full = asyncio.run(_full_load(port, connections, full_load_s))
        paced = asyncio.run(_paced(port, PACED_PER_S, paced_s))
    return Measured(
        accepted_per_s=len(full) / full_load_s,
        full_load_p99_ms=_quantile(full, 0.99) * 1000,
        paced_p50_ms=_quantile(paced, 0.5) * 1000,
        paced_p99_ms=_quantile(paced, 0.99) * 1000,
        start_s=start_s,
    )


def main() -> None:
    measured = measure()
    print(f"webhooks accepted, durable, {CONNECTIONS} connections   {measured.accepted_per_s:8.0f} /s   (goal 3500)")
    print(f"  p99 at that load                            {measured.full_load_p99_ms:8.1f} ms")
    print(f"webhooks at {PACED_PER_S}/s, p50                        {measured.paced_p50_ms:8.1f} ms")
    print(f"webhooks at {PACED_PER_S}/s, p99                        {measured.paced_p99_ms:8.1f} ms   (goal 10)")
    print(f"start to first accepted webhook               {measured.start_s:8.2f} s    (goal 1.5)")


@contextmanager
def _served(home: Path) -> Iterator[tuple[int, float]]:
    """A process of its own; gives its port, and how long it took until a webhook was accepted."""
    started = perf_counter()
    command = [sys.executable, "-m", "tests.bench.receiver", "--serve", str(home)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            asyncio.run(_one(port))
            yield port, perf_counter() - started
        finally:
            server.terminate()
            server.wait(timeout=20)


def _serve(home: Path) -> None:
    from bot import logs
    from bot.web.server import Server, listen
    from tests.web.kit import open_workplace

    logs.configure(json_lines=True)
    with open_workplace(home) as place:
        listener = listen("127.0.0.1", 0)
        print(listener.getsockname()[1], flush=True)
        Server(place.app).run([listener])


def _request(delivery_id: str) -> bytes:
    from tests.web.kit import push_body, push_headers

    body = push_body(padding=PADDING)
    headers = {"Host": "127.0.0.1", "Content-Length": str(len(body)), **push_headers(body, delivery_id)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /webhooks/plain HTTP/1.1\r\n{lines}\r\n".encode() + body


async def _send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> float:
    started = perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 202"):
        raise RuntimeError(f"not accepted: {head[:80]!r}")
    return perf_counter() - started


async def _one(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _send(reader, writer, _request("first"))
    writer.close()


async def _full_load(port: int, connections: int, seconds: float) -> list[float]:
    """Latencies of what was accepted; requests are made beforehand, so that the clients cost little."""
    latencies: list[float] = []
    prepared = [[_request(f"full-{client}-{number}") for number in range(1200)] for client in range(connections)]
    end = perf_counter() + seconds

    async def one_client(requests: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in requests:
            latencies.append(await _send(reader, writer, request))
            if perf_counter() > end:
                break
        writer.close()

    await asyncio.gather(*(one_client(requests) for requests in prepared))
    return latencies


async def _paced(port: int, per_s: int, seconds: float) -> list[float]:
    """One request every few milliseconds, whether or not the former was answered."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(16):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    requests = [_request(f"paced-{number}") for number in range(int(per_s * seconds))]
    started, latencies = perf_counter(), []

    async def at_its_time(number: int, request: bytes) -> None:
        await asyncio.sleep(max(0.0, started + number / per_s - perf_counter()))
        connection = await free.get()
        latencies.append(await _send(*connection, request))
        free.put_nowait(connection)

    await asyncio.gather(*(at_its_time(number, request) for number, request in enumerate(requests)))
    while not free.empty():
        free.get_nowait()[1].close()
    return latencies


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _serve(Path(sys.argv[2]))
    else:
        main()
