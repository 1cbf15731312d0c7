"""Ten thousand runs that wait in the queue behind one that takes long: what the service uses for them."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.domain.run import Phase, Run
from bot.store import open_store
from bot.usecases.run_loop import PARKED_LOOK_S, parked_until
from tests.bench.demo_model import make_repository
from tests.bench.served import Served, serving, wait_for
from tests.bench.table import Row, say

RUNS = 10_000
CONCURRENCY = {"MLOPS_BOT_CONCURRENCY": "1"}


def measure(*, quick: bool) -> list[Row]:
    seconds = 10.0 if quick else 30.0
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as folder:
        home = Path(folder) / "home"
        _take_the_only_place(home)
        try:
            _park(home)
            with serving(home, CONCURRENCY) as served:
                time.sleep(5.0)  # what the start took is not of interest; it never gets calm
                return _used(served, seconds)
        finally:
            _end_the_long_run(home)


def _take_the_only_place(home: Path) -> None:
    """With a run that outlives this service, so that the next one finds it."""
    repository = make_repository(home)
    folder = repository.worktree / "models" / "breast-cancer"
    (folder / "train.py").write_text("import time\ntime.sleep(600)\n")
    (folder / "requirements.txt").write_text("")
    sha = repository.commit("Take long")
    with serving(home, CONCURRENCY) as served:
        repository.push("main")
        running = "SELECT id FROM runs WHERE sha = ? AND phase = 'running'"
        wait_for("the long run", lambda: served.rows(running, sha))
        (home / "long-run").write_text(str(served.rows(running, sha)[0][0]))


def _park(home: Path) -> None:
    """As they are after a while: each is looked at once in `PARKED_LOOK_S`, and these looks are spread evenly."""
    store = open_store(f"sqlite:///{home / 'bot.sqlite3'}")
    (pattern,) = store.runs(limit=1)
    now = datetime.now(UTC)
    for start in range(0, RUNS, 1000):
        with store.transaction() as tx:
            for number in range(start, start + 1000):
                look_at = parked_until(now + timedelta(seconds=PARKED_LOOK_S * (number / RUNS - 1)))
                tx.add_run(_queued(pattern, number, now), now=look_at)
    store.close()
    say(f"  parked {RUNS:,} runs")


def _queued(pattern: Run, number: int, now: datetime) -> Run:
    return replace(
        pattern,
        id=f"run-{number:016x}",
        key=f"key-{number}",
        trigger=f"parked:{number}",
        number=number // 10 + 1,
        branch=f"branch-{number // 10}",
        phase=Phase.QUEUED,
        requested_at=now,
        started_at=None,
    )


def _used(served: Served, seconds: float) -> list[Row]:
    before = served.cpu_s()
    time.sleep(seconds)
    share = (served.cpu_s() - before) / seconds * 100
    ((waiting,),) = served.rows("SELECT count(*) FROM runs WHERE phase = 'queued'")
    if waiting != RUNS:
        raise RuntimeError(f"{waiting} runs are queued, not {RUNS}: the measurement means nothing")
    return [
        Row(f"{RUNS:,} parked runs, share of a core", share, "%", 2),
        Row(f"{RUNS:,} parked runs, resident memory", served.rss_mb(), "MB", 150),
    ]


def _end_the_long_run(home: Path) -> None:
    """Through its folder, as the engine does; its supervisor looks there every second."""
    folder = home / "engine" / "runs" / (home / "long-run").read_text()
    (folder / "cancel").write_text("")
    wait_for("the end of the long run", lambda: (folder / "exit.json").exists(), every_s=0.1)
    wait_for("its scratch folder to go", lambda: not (folder / "work").exists(), every_s=0.1)
