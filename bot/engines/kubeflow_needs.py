"""What a run needs of the cluster: which step runs in which image, with how much, and with which secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bot.domain.pipeline import DEPLOY
from bot.engines.kubeflow_package import Needs, StepNeeds, label_value
from bot.engines.kubeflow_settings import KubeflowSettings
from bot.engines.local_environment import CALLBACK_TOKEN, GIT_CREDENTIALS, SECRET_PREFIX
from bot.engines.local_steps import STEPS
from bot.ports.engine import Submission

# the pod's own limit, beyond the command's: for fetching its image, packages and files
POD_SLACK_S = 3600
MODEL_STEPS = ("train", "evaluate")


def lent(submission: Submission, settings: KubeflowSettings) -> Submission:
    """The forge's tokens stay with the bot: where the steps can reach it, the fetch step is told to ask for them."""
    url = submission.arguments.get("callback_url")
    if not settings.exchanges_credentials or not url or GIT_CREDENTIALS not in submission.secrets:
        return submission
    told = {GIT_CREDENTIALS: json.dumps({"exchange": f"{url}/credentials"})}
    return replace(submission, secrets={**submission.secrets, **told})


def variables(secrets: Mapping[str, str]) -> dict[str, str]:
    """The secrets of a submission under the names that the steps read."""
    own = (CALLBACK_TOKEN, GIT_CREDENTIALS)
    return {name if name in own else SECRET_PREFIX + name: value for name, value in secrets.items()}


def needs_of(submission: Submission, settings: KubeflowSettings) -> Needs:
    """The model's own steps never see the tokens for the code and for the bot."""
    arguments = submission.arguments
    own = {"app.kubernetes.io/managed-by": "mlops-bot"}
    told = {name: label_value(str(arguments[name])) for name in ("repository", "model") if arguments.get(name)}
    return Needs(
        image=settings.image,
        steps=tuple((name, _step(name, submission)) for name in STEPS.get(submission.pipeline, ())),
        labels=tuple({**own, **{f"mlops-bot/{name}": value for name, value in told.items()}}.items()),
        image_pull_secret=settings.image_pull_secret,
    )


def _step(name: str, submission: Submission) -> StepNeeds:
    if name == "fetch":
        given = _given(submission, GIT_CREDENTIALS)
        return StepNeeds(secrets=(*given, *_given(submission, CALLBACK_TOKEN)) if given else ())
    if submission.pipeline == DEPLOY or name not in MODEL_STEPS:
        return StepNeeds(secrets=_given(submission, CALLBACK_TOKEN))
    command = _fields(submission, name)
    timeout_s = command.get("timeout_s")
    return StepNeeds(
        image=str(_fields(submission, "environment").get("image") or ""),
        cpu=command.get("cpu"),
        memory_bytes=command.get("memory_bytes"),
        gpu=int(command.get("gpu") or 0),
        limit_s=None if timeout_s is None else int(timeout_s) + _spot_wait_s(command) + POD_SLACK_S,
        secrets=tuple(sorted(name for name in variables(submission.secrets) if name.startswith(SECRET_PREFIX))),
    )


def _spot_wait_s(command: Mapping[str, Any]) -> int:
    """How long its training job may wait for spot machines of SageMaker before its own time begins."""
    job = command.get("sagemaker") or {}
    return int(job["max_wait_s"]) if job.get("spot") else 0


def _given(submission: Submission, name: str) -> tuple[str, ...]:
    return (name,) if name in submission.secrets else ()


def _fields(submission: Submission, name: str) -> Mapping[str, Any]:
    value = submission.arguments.get(name)
    return value if isinstance(value, Mapping) else {}
