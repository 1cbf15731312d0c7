"""From `/approve` to live, against a model server that is started alone; and back to a version that is still warm."""

from __future__ import annotations

import json
import shutil
import tempfile
import urllib.request
from pathlib import Path
from time import perf_counter

from tests.bench.demo_model import MODEL, ModelRepository, make_repository, package_cache
from tests.bench.kserve_server import Start, starting
from tests.bench.served import Served, serving, settle, wait_for
from tests.bench.table import Row, overhead, say

REPOSITORY = "plain/models"
BRANCH = "more-trees"
LIVE_WITHIN_S = 300.0  # the first one builds the environment

_ENDED = "SELECT id FROM runs WHERE sha = ? AND phase IN ('succeeded', 'reused')"
_NEWEST = "SELECT id, phase FROM deployments WHERE environment = ? ORDER BY seq DESC LIMIT 1"


def measure(*, quick: bool) -> list[Row]:
    rounds = 3 if quick else 7
    with tempfile.TemporaryDirectory(prefix="mlops-bot-bench-") as folder:
        home = Path(folder) / "home"
        repository = make_repository(home)
        with starting(Path(folder) / "alone") as start_alone, serving(home, package_cache()) as served:
            try:
                return _measured(repository, served, rounds, start_alone)
            finally:
                shutil.rmtree(home / "serving" / "revisions", ignore_errors=True)  # which ends the model servers


def _measured(repository: ModelRepository, served: Served, rounds: int, start_alone: Start) -> list[Row]:
    say("  the first deployment builds the environment")
    repository.push("main")
    _trained(served, repository.git("rev-parse", "HEAD"))
    repository.git("checkout", "--quiet", "-B", BRANCH)
    _new_commit(repository, served)
    _approved(served, "ada", "grace")
    settle(served)
    approved, alones, back = [], [], []
    for _ in range(rounds):
        _new_commit(repository, served)
        approved.append(_approved(served, "ada", "grace"))
        alones.append(start_alone())
        back.append(_rolled_back(served))
    return [
        overhead("/approve to live, above the model server's start", approved, alones, goal=3.0),
        Row("rollback to a warm version", sorted(back)[len(back) // 2], "s", 2.0),
    ]


def _new_commit(repository: ModelRepository, served: Served) -> None:
    sha = repository.commit_new_trees()
    repository.push(BRANCH)
    _trained(served, sha)


def _trained(served: Served, sha: str) -> None:
    wait_for("the run", lambda: served.rows(_ENDED, sha), within_s=LIVE_WITHIN_S)


def _approved(served: Served, requester: str, approver: str) -> float:
    """Seconds from the approval to the moment that the new version serves."""
    before = _newest(served)
    _say(served, requester, f"/deploy production {MODEL}")
    wait_for("the request", lambda: _is_at(served, before, "waiting_for_approval"))
    began = perf_counter()
    _say(served, approver, "/approve production")
    wait_for("the deployment", lambda: _is_at(served, before, "live"), within_s=LIVE_WITHIN_S)
    return perf_counter() - began


def _rolled_back(served: Served) -> float:
    before = _newest(served)
    began = perf_counter()
    _say(served, "ada", f"/rollback production {MODEL}")
    wait_for("the rollback", lambda: _is_at(served, before, "live"), within_s=LIVE_WITHIN_S)
    return perf_counter() - began


def _newest(served: Served) -> str:
    rows = served.rows(_NEWEST, "production")
    return str(rows[0][0]) if rows else ""


def _is_at(served: Served, before: str, phase: str) -> bool:
    rows = served.rows(_NEWEST, "production")
    if not rows or rows[0][0] == before:
        return False
    if rows[0][1] in ("failed", "rejected", "canceled"):
        raise RuntimeError(f"the deployment is {rows[0][1]}: {(served.home / 'served.log').read_text()[-2000:]}")
    return rows[0][1] == phase


def _say(served: Served, author: str, body: str) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{served.port}/api/v1/repositories/{REPOSITORY}/changes/1/comments",
        data=json.dumps({"body": body, "author": author}).encode(),
        headers={
            "Authorization": f"Bearer {(served.home / 'access-token').read_text()}",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=30):
        pass
