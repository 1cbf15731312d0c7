"""The whole way with the training on SageMaker: pushed, trained by a job, evaluated here, reported, and canceled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.domain.check import Conclusion
from bot.domain.result import FailureKind
from bot.domain.run import Phase
from tests.engines.kubeflow_kit import Cluster
from tests.fakes.sagemaker import SECRET, SageMaker, sagemaker_server
from tests.journeys.workplace import PROJECT, TRAIN, Workplace

JOB = """train:
      run: python train.py
      timeout: 1h
      runs_on: sagemaker
      sagemaker:
        role: arn:aws:iam::123456789012:role/training
        instance: ml.m5.xlarge
        image: registry.example.com/training:1
        region: eu-central-1
        bucket: s3://training/models
"""
NO_CREDENTIALS = """
import os
assert not [name for name in os.environ if name.startswith("AWS_")], "the bot's credentials are seen"
"""


@pytest.fixture
def sagemaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMaker]:
    """What the service was started with, and the operator's choice to lend it to steps."""
    with sagemaker_server(tmp_path / "sagemaker") as world:
        for name, value in world.environ().items():
            monkeypatch.setenv(name, value)
        yield world


@pytest.fixture(params=["local", "kubeflow"])
def engine(sagemaker: SageMaker, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    if request.param == "local":
        yield {"MLOPS_BOT_ENGINE": "local", "MLOPS_BOT_STEP_ENV": ",".join(sagemaker.environ())}
        return
    with Cluster.executing(tmp_path / "cluster", identity=sagemaker.environ()) as cluster:
        yield cluster.environ


def test_a_push_trains_on_sagemaker_and_is_reported_as_always(
    lonely: Workplace, sagemaker: SageMaker, engine: dict[str, str]
) -> None:
    lonely.write("mlops.yaml", PROJECT.replace("train: {run: python train.py, timeout: 1m}\n", JOB))
    lonely.write("churn/train.py", NO_CREDENTIALS + TRAIN)
    sha = lonely.commit("Train on SageMaker")
    with lonely.service(**engine) as running:
        lonely.push("main")
        run = running.ended(sha)

        assert run.phase is Phase.SUCCEEDED, run.result
        assert run.result is not None
        assert run.result.metrics["accuracy"].value == 0.9
        (check,) = [check for check in running.checks(sha, completed=True) if check.name == "mlops/churn"]
        assert check.conclusion is Conclusion.SUCCESS
        log = running.service.bot.world.artifacts.read(run.id, "logs/train.log", limit_bytes=100_000)
        assert log is not None
        assert b"training on 40 rows with {'threshold': 0.4}" in log
        assert list(sagemaker.jobs) == [name for name in sagemaker.jobs if run.id in name]
        assert len(sagemaker.jobs) == 1
    assert not [
        path
        for path in (lonely.home / "artifacts").rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def test_a_run_that_is_canceled_stops_its_job(lonely: Workplace, sagemaker: SageMaker, engine: dict[str, str]) -> None:
    lonely.write("mlops.yaml", PROJECT.replace("train: {run: python train.py, timeout: 1m}\n", JOB))
    lonely.write("churn/train.py", "import time\nprint('begun', flush=True)\ntime.sleep(200)\n")
    sha = lonely.commit("Train for long")
    with lonely.service(**engine) as running:
        lonely.push("main")
        running.wait_for("the job", sagemaker.began.is_set)
        (run,) = running.runs(sha)
        with running.service.bot.store.transaction() as tx:
            tx.request_cancel(run.id, by="ada", superseded_by=None, now=running.service.bot.world.clock())
        ended = running.ended(sha)

    assert ended.phase is Phase.CANCELED
    assert ended.result is None or ended.result.failure is None or ended.result.failure.kind is FailureKind.CANCELED
    assert sagemaker.stopped == list(sagemaker.jobs)
