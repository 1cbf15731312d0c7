"""The request for a training job on SageMaker, and words for how it ended or why there is none."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.quantities import duration
from pipelines.steps.sagemaker_source import ARCHIVE, LAUNCHER

_ENDED_BADLY = ("Failed", "Stopped", "Stopping")
_NO_SUCH_JOB = ("ValidationException", "ValidationError", "ResourceNotFound")
_ATTEMPTS = 50
_REASON_CHARACTERS = 1_000
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9]+")
_WAITED_FOR_CAPACITY = ("CapacityError", "InsufficientCapacity", "Insufficient capacity")


@dataclass(frozen=True, slots=True)
class Place:
    """`bucket` and `base` of S3; all of a job's files are below `<base>/<job>/`."""

    bucket: str
    base: str

    def key(self, job: str, name: str) -> str:
        return "/".join(part for part in (self.base, job, name) if part)

    def address(self, job: str, name: str) -> str:
        return f"s3://{self.bucket}/{self.key(job, name)}"


def place_of(settings: Mapping[str, Any]) -> Place:
    bucket, _, base = str(settings["bucket"]).removeprefix("s3://").partition("/")
    return Place(bucket, base.strip("/"))


def job_name(run_prefix: str, attempt: int) -> str:
    """The same for the same run, so that a step that is repeated finds its job. At most 63 characters."""
    run = _NOT_IN_A_NAME.sub("-", run_prefix.rstrip("/").rpartition("/")[2]).strip("-")[:36]
    name = f"mlops-{run}-{hashlib.sha256(run_prefix.encode()).hexdigest()[:10]}"
    return name if attempt == 1 else f"{name}-{attempt}"


def find_job(client: Any, run_prefix: str) -> tuple[str, bool]:
    """The run's job and whether it exists. One that failed or was stopped is left, and another attempt takes its
    place: the engine repeats a step only when it is meant to."""
    for attempt in range(1, _ATTEMPTS + 1):
        name = job_name(run_prefix, attempt)
        described = describe(client, name)
        if described is None or described["TrainingJobStatus"] not in _ENDED_BADLY:
            return name, described is not None
    raise StepFailed(FailureKind.REFUSED, f"SageMaker has {_ATTEMPTS} jobs of this run that failed or were stopped.")


def describe(client: Any, name: str) -> dict[str, Any] | None:
    try:
        described: dict[str, Any] = client.describe_training_job(TrainingJobName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return described


def is_missing(error: BotoCoreError | ClientError) -> bool:
    """Of a request that has nothing but a job's name, which is valid."""
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in _NO_SUCH_JOB


def request(
    name: str,
    place: Place,
    settings: Mapping[str, Any],
    *,
    params: Mapping[str, Any],
    env: Mapping[str, str],
    timeout_s: int,
    has_data: bool,
) -> dict[str, Any]:
    """For CreateTrainingJob. Script mode's own hyperparameters are those of sagemaker-training-toolkit, params.py;
    each value is JSON."""
    script = {
        "sagemaker_program": LAUNCHER,
        "sagemaker_submit_directory": place.address(name, f"source/{ARCHIVE}"),
        "sagemaker_job_name": name,
    }
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": place.address(name, "data/"),
        "S3DataDistributionType": "FullyReplicated",
    }
    spot = bool(settings.get("spot"))
    wait = {"MaxWaitTimeInSeconds": timeout_s + int(settings["max_wait_s"])} if spot else {}
    channel = {"ChannelName": "training", "InputMode": "File", "DataSource": {"S3DataSource": source}}
    return {
        "TrainingJobName": name,
        "RoleArn": settings["role"],
        "AlgorithmSpecification": {"TrainingImage": settings["image"], "TrainingInputMode": "File"},
        "HyperParameters": {key: json.dumps(value) for key, value in {**params, **script}.items()},
        **({"InputDataConfig": [channel]} if has_data else {}),
        "OutputDataConfig": {"S3OutputPath": place.address(name, "output")},
        "ResourceConfig": {
            "InstanceType": settings["instance"],
            "InstanceCount": int(settings["count"]),
            "VolumeSizeInGB": int(settings["volume_gib"]),
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": timeout_s, **wait},
        "EnableManagedSpotTraining": spot,
        **({"Environment": dict(env)} if env else {}),
    }


def failure(described: Mapping[str, Any], *, timeout_s: int) -> StepFailed | None:
    """None for a job that completed."""
    name, status, secondary = (
        str(described.get(key)) for key in ("TrainingJobName", "TrainingJobStatus", "SecondaryStatus")
    )
    reason = str(described.get("FailureReason") or "SageMaker gives no reason")[:_REASON_CHARACTERS]
    if status == "Completed":
        return None
    if secondary == "MaxRuntimeExceeded":
        return timed_out(name, timeout_s)
    if secondary == "MaxWaitTimeExceeded" or any(word in reason for word in _WAITED_FOR_CAPACITY):
        return StepFailed(
            FailureKind.UNREACHABLE,
            f"SageMaker had no machine for the training job {name}: {reason}.",
            fix="Try again later, let `sagemaker.max_wait` be longer, or choose another `sagemaker.instance`.",
        )
    if status == "Stopped":
        return StepFailed(
            FailureKind.CANCELED,
            f"The training job {name} was stopped in SageMaker.",
            fix="Whoever stopped it knows why; `/train --force` starts another.",
        )
    return StepFailed(
        FailureKind.EXIT,
        f"The training job {name} failed: {reason}",
        fix="Its log says more, as a rule at the end.",
    )


def timed_out(name: str, timeout_s: float) -> StepFailed:
    return StepFailed(
        FailureKind.TIMEOUT,
        f"The training job {name} was stopped because it took longer than its timeout of {duration(timeout_s)}.",
        fix="Raise `train.timeout` in mlops.yaml, or make the work smaller.",
    )


def refused(error: BotoCoreError | ClientError, role: str) -> StepFailed:
    """Words for what Amazon's services answer to a request, or why they could not be asked."""
    if isinstance(error, NoCredentialsError):
        return StepFailed(
            FailureKind.UNREACHABLE,
            "This step has no AWS credentials, which a training job on SageMaker needs.",
            fix="Whoever runs the bot gives them: MLOPS_BOT_STEP_ENV on one machine, the pod's own role on a cluster.",
        )
    if isinstance(error, NoRegionError):
        return StepFailed(FailureKind.REFUSED, "No AWS region is given.", fix="Write `sagemaker.region` in mlops.yaml.")
    if not isinstance(error, ClientError):
        return StepFailed(FailureKind.UNREACHABLE, f"AWS could not be reached: {error}", fix="Try again later.")
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")[:_REASON_CHARACTERS]
    if "assume" in message.lower() and "role" in message.lower():
        return StepFailed(
            FailureKind.REFUSED,
            f"SageMaker may not take the role {role}: {message}",
            fix="Let the role trust sagemaker.amazonaws.com, and let the step's credentials pass it (iam:PassRole).",
        )
    if code == "ResourceLimitExceeded":
        return StepFailed(
            FailureKind.REFUSED,
            f"The account's quota does not allow this training job: {message}",
            fix="Choose another `sagemaker.instance`, or have the quota raised.",
        )
    return StepFailed(
        FailureKind.REFUSED,
        f"AWS refused {error.operation_name} ({code}): {message}",
        fix="Check `sagemaker:` in mlops.yaml, and what the step's credentials may do.",
    )
