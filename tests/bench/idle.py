"""From the start of `mlops-bot serve` to the first accepted webhook, and what it uses while nothing happens."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.bench.demo_model import make_repository
from tests.bench.receiver import bodies
from tests.bench.served import end, is_alive, launch, serving, settle, wait_for
from tests.bench.table import Row
from tests.bench.webhook_clients import Body, send_one


def measure(*, quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as folder:
        home = Path(folder) / "home"
        repository = make_repository(home)
        (body,) = bodies([f"plain/{repository.bare.stem}"])
        _start_to_first_accepted(home, body)  # makes the database
        starts = [_start_to_first_accepted(home, body) for _ in range(3 if quick else 7)]
        return [Row("start to first accepted webhook", median(starts), "s", 1.5), *_idle(home, 5 if quick else 20)]


def _start_to_first_accepted(home: Path, body: Body) -> float:
    began = perf_counter()
    process, port = launch(home)
    try:
        wait_for("the first accepted webhook", lambda: is_alive(process, home) and _is_accepted(port, body))
        return perf_counter() - began
    finally:
        end(process)


def _is_accepted(port: int, body: Body) -> bool:
    try:
        return send_one(port, body) > 0
    except OSError:
        return False


def _idle(home: Path, seconds: float) -> list[Row]:
    with serving(home) as served:
        settle(served)
        before = served.cpu_s()
        time.sleep(seconds)
        share = (served.cpu_s() - before) / seconds * 100
        return [
            Row("idle service, resident memory", served.rss_mb(), "MB", 120),
            Row("  its runner and git processes besides (shared pages divided)", served.children_mb(), "MB"),
            Row("idle service, share of a core", share, "%"),
        ]
