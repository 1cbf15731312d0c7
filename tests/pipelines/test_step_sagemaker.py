"""`train.runs_on: sagemaker`: the step starts a job, follows it, and brings back what it left."""

from __future__ import annotations

import io
import os
import signal
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.result import Failure, FailureKind
from pipelines.steps.failure import StepFailed
from pipelines.steps.sagemaker_archive import unpack
from pipelines.steps.sagemaker_job import job_name
from tests.fakes.sagemaker import REGION, SageMaker, sagemaker_server
from tests.pipelines.kit import DataRepository, Workshop, command, failure_of

ROLE = "arn:aws:iam::123456789012:role/training"
SETTINGS = {
    "role": ROLE, "instance": "ml.m5.xlarge", "count": 1, "volume_gib": 30, "image": "python:3.11", "spot": False,
    "max_wait_s": 3600, "region": REGION, "bucket": "s3://training/models",
}  # fmt: skip
TRAIN = """\
import json, os, pathlib, sys
assert not [name for name in os.environ if name.startswith("AWS_")]
params = json.loads(pathlib.Path(os.environ["MLOPS_PARAMS"]).read_text())
rows = (pathlib.Path(os.environ["MLOPS_DATA_DIR"]) / "table.csv").read_text().splitlines()[1:]
print(f"{len(rows)} rows, depth {params['depth']}, seed {os.environ['MLOPS_SPLIT_SEED']}, {sys.argv[1:]}")
(pathlib.Path(os.environ["MLOPS_MODEL_DIR"]) / "model.txt").write_text("weights")
output = pathlib.Path(os.environ["MLOPS_OUTPUT_DIR"])
(output / "metrics.json").write_text('{"loss": 0.25}')
(output / "plots" / "roc.csv").write_text("fpr,tpr\\n0,0\\n1,1\\n")
"""


@pytest.fixture
def sagemaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMaker]:
    with sagemaker_server(tmp_path / "sagemaker") as world:
        for name, value in world.environ().items():
            monkeypatch.setenv(name, value)
        yield world


def on_sagemaker(run: str = "python train.py", *, timeout_s: int = 600, **changes: Any) -> dict[str, Any]:
    return {**command(run, timeout_s=timeout_s), "sagemaker": {**SETTINGS, **changes}}


def test_a_model_is_trained_by_a_job_and_comes_back_with_its_log_metrics_and_plots(
    shop: Workshop, data: DataRepository, sagemaker: SageMaker
) -> None:
    shop.write(train=TRAIN)
    shop.use_data(data, "table.csv")

    result = shop.run(
        train=on_sagemaker("python train.py --fast", spot=True),
        evaluate={},
        params={"depth": 3, "name": "a b"},
        split={"test": 0.2, "seed": 7},
        env={"LEVEL": "high"},
    )

    assert result.failure is None, shop.log("train")
    assert result.metrics["loss"].value == 0.25
    assert "2 rows, depth 3, seed 7, ['--fast']" in shop.log("train")
    assert (shop.prefix / "model" / "model.txt").read_text() == "weights"
    assert (shop.prefix / "plots" / "roc.csv").is_file()
    (job,) = sagemaker.jobs.values()
    name = job_name(shop.prefix.as_uri(), 1)
    assert job.request == {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "python:3.11", "TrainingInputMode": "File"},
        "HyperParameters": {
            "depth": "3",
            "name": '"a b"',
            "sagemaker_program": '"mlops_bot_launcher.py"',
            "sagemaker_submit_directory": f'"s3://training/models/{name}/source/sourcedir.tar.gz"',
            "sagemaker_job_name": f'"{name}"',
        },
        "InputDataConfig": [
            {
                "ChannelName": "training",
                "InputMode": "File",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"s3://training/models/{name}/data/",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://training/models/{name}/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 4200},
        "EnableManagedSpotTraining": True,
        "Environment": {"LEVEL": "high"},
    }


def test_a_step_that_is_repeated_finds_its_job_and_starts_no_second(shop: Workshop, sagemaker: SageMaker) -> None:
    shop.write()
    first = shop.run(train=on_sagemaker())

    again = shop.run(train=on_sagemaker())

    assert len(sagemaker.jobs) == 1
    assert again.failure is None
    assert again.model_digest == first.model_digest
    assert "is there already: it is followed." in shop.log("train")


def test_an_exception_in_the_job_is_reported_with_its_own_words_and_a_retry_is_another_job(
    shop: Workshop, sagemaker: SageMaker
) -> None:
    shop.write(train='raise ValueError("no such column")\n')

    failure = failure_of(shop.run(train=on_sagemaker()))
    shop.run(train=on_sagemaker())

    assert (failure.step, failure.kind) == ("train", FailureKind.EXCEPTION)
    assert failure.message == "ValueError: no such column"
    assert list(sagemaker.jobs) == [job_name(shop.prefix.as_uri(), 1), job_name(shop.prefix.as_uri(), 2)]


def ended_as(shop: Workshop, sagemaker: SageMaker, *outcome: str) -> Failure:
    status, secondary, reason = outcome
    sagemaker.outcome = (status, secondary, reason)
    shop.write()
    return failure_of(shop.run(train=on_sagemaker()))


def test_a_job_that_failed_is_told_with_sagemakers_reason(shop: Workshop, sagemaker: SageMaker) -> None:
    failure = ended_as(shop, sagemaker, "Failed", "Failed", "ClientError: image not found")

    assert failure.kind is FailureKind.EXIT
    assert failure.message.endswith(" failed: ClientError: image not found")


def test_a_lack_of_machines_is_told_as_such(shop: Workshop, sagemaker: SageMaker) -> None:
    failure = ended_as(shop, sagemaker, "Failed", "Failed", "CapacityError: Unable to provision")

    assert failure.kind is FailureKind.UNREACHABLE
    assert failure.message.startswith("SageMaker had no machine for the training job mlops-run-1-")


def test_a_job_that_took_too_long_is_told_as_a_timeout(shop: Workshop, sagemaker: SageMaker) -> None:
    failure = ended_as(shop, sagemaker, "Stopped", "MaxRuntimeExceeded", "")

    assert failure.kind is FailureKind.TIMEOUT
    assert "took longer than its timeout of 10 min" in failure.message


def test_a_job_that_somebody_stopped_is_told_as_canceled(shop: Workshop, sagemaker: SageMaker) -> None:
    failure = ended_as(shop, sagemaker, "Stopped", "Stopped", "")

    assert failure.kind is FailureKind.CANCELED
    assert failure.message.endswith("was stopped in SageMaker.")


@pytest.mark.parametrize(
    ("code", "message", "words"),
    [
        ("ValidationException", f"Could not assume role {ROLE}.", f"SageMaker may not take the role {ROLE}: Could"),
        ("ResourceLimitExceeded", "The limit is 0 Instances", "The account's quota does not allow this training job"),
        ("AccessDeniedException", "not authorized", "AWS refused CreateTrainingJob (AccessDeniedException): not auth"),
    ],
)
def test_a_refusal_says_what_to_change(
    shop: Workshop, sagemaker: SageMaker, code: str, message: str, words: str
) -> None:
    sagemaker.refuse = (code, message)
    shop.write()

    failure = failure_of(shop.run(train=on_sagemaker()))

    assert failure.kind is FailureKind.REFUSED
    assert failure.message.startswith(words)
    assert failure.fix
    assert "stop" not in shop.log("train")


def test_a_step_that_is_told_to_end_stops_its_job(shop: Workshop, sagemaker: SageMaker) -> None:
    shop.write(train="import time\nprint('training', flush=True)\ntime.sleep(120)\n")
    canceling = threading.Thread(
        target=lambda: sagemaker.began.wait(60) and os.kill(os.getpid(), signal.SIGTERM), daemon=True
    )
    canceling.start()

    failure = failure_of(shop.run(train=on_sagemaker()))

    assert failure.kind is FailureKind.CANCELED
    assert sagemaker.stopped == [job_name(shop.prefix.as_uri(), 1)]
    assert "is told to stop." in shop.log("train")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../out", tarfile.REGTYPE), ("/out", tarfile.REGTYPE), ("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE)],
)
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str, kind: bytes) -> None:
    archive = tmp_path / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, "../out"
        packed.addfile(member, io.BytesIO())

    with pytest.raises(StepFailed, match=r"^The training job's model\.tar\.gz has ") as raised:
        unpack(archive, tmp_path / "model")

    assert raised.value.kind == "no_model"
    assert not (tmp_path / "out").exists()


def test_an_archive_that_is_none_or_too_large_is_refused(tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"no archive")
    with pytest.raises(StepFailed, match="can not be read"):
        unpack(archive, tmp_path / "model")

    with tarfile.open(archive, "w:gz") as packed:
        member = tarfile.TarInfo("model.bin")
        member.size = 1000
        packed.addfile(member, io.BytesIO(bytes(1000)))
    with pytest.raises(StepFailed, match="is larger than what is kept"):
        unpack(archive, tmp_path / "model", limit_bytes=999)
