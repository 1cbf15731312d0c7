"""The same loop with a cluster as the engine: push, Kubeflow, result, comment. Nobody notices a difference."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.domain.check import Conclusion
from bot.domain.result import FailureKind
from bot.domain.run import Phase
from tests.engines.kubeflow_kit import Cluster
from tests.journeys.forge_place import make_place, told_service
from tests.journeys.github_place import GitHubTown
from tests.journeys.workplace import Running, Workplace


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.executing(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def running(cluster: Cluster, lonely: Workplace) -> Iterator[Running]:
    with lonely.service(**cluster.environ) as running:
        yield running


def test_a_pushed_change_is_trained_on_kubeflow_and_measured_against_the_base(
    cluster: Cluster, lonely: Workplace, running: Running
):
    lonely.push("main")
    base = running.ended(lonely.git("rev-parse", "HEAD"))
    lonely.git("checkout", "--quiet", "-B", "better")
    lonely.write("mlops.yaml", (lonely.worktree / "mlops.yaml").read_text().replace("default: 0.4", "default: 0.5"))
    sha = lonely.commit("Try a threshold of 0.5")
    lonely.push("better")

    run = running.ended(sha)
    comment = running.comment(1, run.id)
    (check,) = running.checks(sha, completed=True)
    assert (base.phase, run.phase) == (Phase.SUCCEEDED, Phase.SUCCEEDED)
    assert (check.name, check.conclusion) == ("mlops/churn", Conclusion.SUCCESS)
    assert run.result is not None
    assert [step.name for step in run.result.steps if step.state == "succeeded"][:3] == ["fetch", "train", "evaluate"]
    assert "accuracy" in comment
    assert "0.9" in comment, "the base's accuracy is shown"
    used = {cluster.kubeflow.run(one.id)["pipeline_version_reference"]["pipeline_version_id"] for one in (base, run)}
    assert len(used) == 1, "both were started from one uploaded package"


def test_a_failed_step_and_a_canceled_run_are_told_as_on_this_machine(lonely: Workplace, running: Running):
    lonely.write("churn/train.py", "raise ValueError('no such column')\n")
    failing = lonely.commit("Break it")
    lonely.push("main")
    failure = running.failure_of(failing)
    lonely.write("churn/train.py", "import time\ntime.sleep(600)\n")
    slow = lonely.commit("Take ten minutes")
    lonely.push("main")
    run = running.wait_for("its training", lambda: next(iter(running.runs(slow)), None))
    running.wait_for("its step train", lambda: _at(running, run.id, "train"))
    running.service.bot.cancel(run.id, "ada")

    assert (failure.step, "no such column" in failure.message) == ("train", True)
    ended = running.ended(slow)
    assert ended.phase is Phase.CANCELED
    assert ended.cancel_requested_by == "ada"


def test_a_canceled_run_that_could_not_report_has_its_result_written_by_the_bot(
    cluster: Cluster, lonely: Workplace, running: Running, monkeypatch: pytest.MonkeyPatch
):
    assert cluster.executor is not None
    monkeypatch.setattr(cluster.executor, "skips_exit_handler", True)
    lonely.write("churn/train.py", "import time\nprint('one epoch', flush=True)\ntime.sleep(600)\n")
    sha = lonely.commit("Take ten minutes")
    lonely.push("main")
    run = running.wait_for("its run", lambda: next(iter(running.runs(sha)), None))
    artifacts = running.service.bot.world.artifacts
    running.wait_for(
        "its first epoch",
        lambda: b"one epoch" in artifacts.read_from(run.id, "logs/train.log", offset=0, limit_bytes=9999),
    )
    running.service.bot.cancel(run.id, "ada")

    result = running.ended(sha).result
    assert result is not None
    assert result.failure is not None
    assert (result.state, result.failure.kind) == ("canceled", FailureKind.CANCELED)
    assert [(step.name, step.state) for step in result.steps] == [
        ("fetch", "succeeded"),
        ("train", "canceled"),
        ("evaluate", "skipped"),
        ("report", "skipped"),
    ]
    assert any("one epoch" in line for line in result.steps[1].log_tail)


def test_kubeflow_is_shown_no_secret(cluster: Cluster, lonely: Workplace, running: Running):
    lonely.push("main")
    run = running.ended(lonely.git("rev-parse", "HEAD"))

    token = running.service.bot.world.callback_token(run.id)
    records = cluster.kubeflow.records
    shown = json.dumps([list(records.runs.values()), [one.package for one in records.versions.values()]])
    assert run.phase is Phase.SUCCEEDED
    assert run.id in shown
    assert token not in shown
    assert token in cluster.kubernetes.given("MLOPS_BOT_CALLBACK_TOKEN")
    running.wait_for("the end of its Secret", lambda: run.id not in cluster.kubernetes.secrets)


def test_a_restarted_service_finds_its_run_on_kubeflow(cluster: Cluster, lonely: Workplace, tmp_path: Path):
    go = tmp_path / "go"
    wait = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
    lonely.write("churn/train.py", wait + (lonely.worktree / "churn/train.py").read_text())
    sha = lonely.commit("Wait for a word")
    with lonely.service(**cluster.environ) as first:
        lonely.push("main")
        run = first.wait_for("its run", lambda: next(iter(first.runs(sha)), None))
        first.wait_for("its step train", lambda: _at(first, run.id, "train"))
    with lonely.service(**cluster.environ) as second:
        go.touch()
        ended = second.ended(sha)

    assert (ended.id, ended.phase) == (run.id, Phase.SUCCEEDED)
    assert len(cluster.kubeflow.named(run.id)) == 1


def _at(running: Running, run_id: str, step: str) -> bool:
    seen = running.service.bot.engine.observe([run_id])[run_id]
    return any((one.name, one.state) == (step, "running") for one in seen.steps)


def test_a_private_repository_is_cloned_with_a_token_that_never_was_on_the_cluster(cluster: Cluster, tmp_path: Path):
    town = GitHubTown(tmp_path / "github", is_app=True, places=1)
    try:
        with told_service(town, tmp_path / "home", cluster.environ) as service:
            place = make_place(town, town.take(), service, tmp_path)
            sha = place.start()
            run = place.running.ended(sha)
            check = place.check(sha)
    finally:
        town.close()

    assert (run.phase, check.conclusion) == (Phase.SUCCEEDED, Conclusion.SUCCESS)
    assert [json.loads(one) for one in cluster.kubernetes.given("MLOPS_BOT_GIT_CREDENTIALS")] == [
        {"exchange": f"{run.arguments['callback_url']}/credentials"}
    ]


def test_an_outage_of_kubeflow_delays_and_readyz_says_so(cluster: Cluster, lonely: Workplace, running: Running):
    web = cluster.kubeflow.web
    web.fail("", status=503, times=10**9)
    lonely.push("main")
    sha = lonely.git("rev-parse", "HEAD")
    running.wait_for("its run", lambda: next((run for run in running.runs(sha) if run.phase is Phase.STARTING), None))
    ready = httpx.get(f"{running.service.settings.local_url}/readyz", trust_env=False)
    web.faults.clear()

    assert running.ended(sha).phase is Phase.SUCCEEDED
    assert (ready.status_code, ready.json()["checks"]["engine"]) == (503, "failing")
