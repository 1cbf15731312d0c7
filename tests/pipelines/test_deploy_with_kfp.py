"""The compiled pipeline `deploy`, carried out by kfp.local."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bot.domain.result import FailureKind, Result
from tests.pipelines.deploy_kit import Deploy, states
from tests.pipelines.kit import failure_of


def run(deploy: Deploy) -> Result:
    script = Path(__file__).with_name("run_with_kfp.py")
    done = subprocess.run(
        [sys.executable, str(script), str(deploy.folder), "deploy", json.dumps(deploy.arguments)],
        env={**os.environ, "TMPDIR": str(deploy.folder)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    result = deploy.result()
    assert done.returncode == (0 if result.state == "succeeded" else 3), done.stdout + done.stderr
    return result


def test_deploy_runs_from_verify_to_report(deploy: Deploy):
    deploy.canary(10, max_error_rate=0.5)
    deploy.bot.traffic = {10: [{"requests": 40, "errors": 1, "p99_ms": 3.0}]}

    result = run(deploy)

    assert (result.state, result.failure, result.pipeline, result.golden_rows) == ("succeeded", None, "deploy", 3)
    assert [step.name for step in result.steps] == ["verify", "apply", "smoke-test", "promote", "report"]
    assert deploy.bot.asked == ["apply", "promote 10", "promote 100"]
    assert deploy.bot.told == [{"run_id": result.run_id}]
    assert "10 % for 0.05 s: 40 requests, 1 error, p99 3 ms." in result.steps[3].log_tail


def test_a_smoke_test_that_fails_promotes_nothing_and_is_still_reported(deploy: Deploy):
    deploy.server.predict = lambda rows: [0.0] * len(rows)

    result = run(deploy)

    assert (failure_of(result).step, failure_of(result).kind) == ("smoke-test", FailureKind.SMOKE_TEST)
    assert [*states(result).values()] == ["succeeded", "succeeded", "failed", "skipped", "succeeded"]
    assert deploy.bot.asked == ["apply"]
    assert deploy.bot.told == [{"run_id": result.run_id}]
