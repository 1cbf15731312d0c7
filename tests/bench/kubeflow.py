"""What a cluster as the engine costs the bot: a thousand runs looked at, a run submitted."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from bot import logs
from bot.engines.kubeflow import KubeflowEngine
from bot.engines.kubeflow_settings import KubeflowSettings
from tests.bench.table import Row
from tests.engines.kubeflow_kit import PACKAGES, training, utc_now

ACTIVE = 1000
LOOK_EVERY_S = 10.0


def measure(*, quick: bool) -> list[Row]:
    logs.configure(json_lines=False, secrets=())
    with _cluster_in_a_process() as (kubeflow, kubernetes):
        return _measure(KubeflowSettings(kubeflow, "runner:1", kubernetes_url=kubernetes), 3 if quick else 10)


def _measure(settings: KubeflowSettings, rounds: int) -> list[Row]:
    engine = KubeflowEngine(settings, packages=PACKAGES, clock=utc_now)
    try:
        names = [training(number).run_id for number in range(ACTIVE)]
        submitted = [_submit_s(engine, number) for number in range(ACTIVE, ACTIVE + 21)][1:]  # the first one uploads
        engine.observe(names)  # by name, once; from then on by Kubeflow's own ids
        used, took = [], []
        for _ in range(rounds):
            before, began = time.process_time(), time.perf_counter()
            seen = engine.observe(names)
            used.append(time.process_time() - before)
            took.append(time.perf_counter() - began)
        states = Counter(str(run.state) for run in seen.values())
        if states != {"running": ACTIVE}:
            raise RuntimeError(f"the measurement means nothing: {states}")
        share = median(used) / LOOK_EVERY_S * 100
    finally:
        engine.close()
    return [
        Row(f"{ACTIVE:,} runs on Kubeflow looked at each {LOOK_EVERY_S:.0f} s, share of a core", share, "%", 1),
        Row(f"{ACTIVE:,} runs on Kubeflow, one look", median(took), "s"),
        Row("a run submitted to Kubeflow, package cached, p50", median(submitted), "s", 0.3),
    ]


def _submit_s(engine: KubeflowEngine, number: int) -> float:
    began = time.perf_counter()
    engine.submit(training(number))
    return time.perf_counter() - began


@contextmanager
def _cluster_in_a_process() -> Iterator[tuple[str, str]]:
    """Gives the addresses of its API servers."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.kubeflow_server", str(ACTIVE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            kubeflow, kubernetes = process.stdout.readline().split()
            yield kubeflow, kubernetes
        finally:
            process.stdin.close()
