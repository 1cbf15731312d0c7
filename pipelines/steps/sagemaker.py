"""Training on SageMaker in the place of a command here: `train.runs_on: sagemaker`.

Code and data go to S3, a script-mode job runs the command, its log is followed, and what it left is brought back to
where the command would have left it. The step's own AWS credentials are used, in this process alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.frames import last_exception
from pipelines.steps.journal import Step
from pipelines.steps.sagemaker_archive import unpack
from pipelines.steps.sagemaker_source import ARCHIVE, pack_source
from pipelines.steps.user_step import ModelWorld

if TYPE_CHECKING:
    from pipelines.steps.sagemaker_job import Place

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_BEFORE_AND_AFTER_S = 3600.0  # machines and images before, uploads after: SageMaker's own clock has the timeout
_STOP_S = 2  # a step that was asked to end has 5 s


def train_on_sagemaker(step: Step, command: Mapping[str, Any], of: ModelWorld, *, model: Path) -> Path:
    """Gives the output folder. Raises StepFailed with why there is no model."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError

        from pipelines.steps.sagemaker_job import refused
    except ImportError as error:
        raise StepFailed(
            FailureKind.COMMAND,
            f"Training on SageMaker needs boto3, which is not here: {error}.",
            fix="Whoever runs the bot installs it: `pip install 'mlops-bot[s3]'`.",
        ) from error
    settings = command["sagemaker"]
    output = step.folder / "output"
    (output / "plots").mkdir(parents=True)
    model.mkdir(parents=True, exist_ok=True)
    if of.secrets:
        step.log.say(f"(secrets are not given to SageMaker, where they could be read: {', '.join(of.secrets)})")
    try:
        _Training(step, command, of).run(model, output)
    except (BotoCoreError, ClientError) as error:
        raise refused(error, settings["role"]) from error
    return output


class _Training:
    def __init__(self, step: Step, command: Mapping[str, Any], of: ModelWorld) -> None:
        from pipelines.steps.sagemaker_job import place_of

        self._step = step
        self._command = command
        self._of = of
        self._settings: Mapping[str, Any] = command["sagemaker"]
        self._timeout_s = int(command.get("timeout_s") or 86_400)
        self._place: Place = place_of(self._settings)
        self._sagemaker = self._client("sagemaker")
        self._s3 = self._client("s3")

    def run(self, model: Path, output: Path) -> None:
        from pipelines.steps import sagemaker_job

        name, exists = sagemaker_job.find_job(self._sagemaker, self._step.prefix.address)
        folder = self._pack()
        if exists:
            self._step.log.say(f"The training job {name} is there already: it is followed.")
        else:
            self._upload(name)
        try:
            if not exists:
                self._create(name)
            described = self._until_it_ends(name)
        except BaseException:  # canceled above all: nobody would wait for a job that goes on
            self._stop(name)
            raise
        failed = sagemaker_job.failure(described, timeout_s=self._timeout_s)
        if failed is not None:
            raise self._with_exception(failed, folder)
        self._bring_back(name, model, output)

    def _client(self, service: str, **limits: Any) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            **{"connect_timeout": 10, "read_timeout": 60, "retries": {"mode": "standard", "max_attempts": 5}, **limits}
        )
        return boto3.session.Session().client(service, region_name=self._settings.get("region") or None, config=config)

    def _pack(self) -> Path:
        return pack_source(
            self._step.folder / ARCHIVE,
            code_file=self._of.code_file,
            checkout=self._step.folder / "code",
            model_path=self._of.model_path,
            run=self._command["run"],
            params=self._of.params,
            split=self._of.split,
            requirements=str(self._of.environment.get("requirements") or ""),
            data_own_path=self._of.data_own_path,
        )

    def _data_files(self) -> list[Path]:
        return sorted(file for file in self._of.data_folder.rglob("*") if file.is_file())

    def _upload(self, name: str) -> None:
        files = self._data_files()
        self._step.log.say(f"Uploading code and {len(files)} files of data to {self._place.address(name, '')}")
        archive = str(self._step.folder / ARCHIVE)
        self._s3.upload_file(archive, self._place.bucket, self._place.key(name, f"source/{ARCHIVE}"))
        for file in files:
            key = self._place.key(name, f"data/{file.relative_to(self._of.data_folder).as_posix()}")
            self._s3.upload_file(str(file), self._place.bucket, key)

    def _create(self, name: str) -> None:
        from botocore.exceptions import ClientError

        from pipelines.steps.sagemaker_job import request

        wanted = request(
            name,
            self._place,
            self._settings,
            params=self._of.params,
            env=self._of.env,
            timeout_s=self._timeout_s,
            has_data=bool(self._data_files()),
        )
        try:
            self._sagemaker.create_training_job(**wanted)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceInUse":  # an answer was lost, and the request repeated
                raise
        self._step.log.say(f"Training job {name} on {self._settings['count']} × {self._settings['instance']}")

    def _until_it_ends(self, name: str) -> dict[str, Any]:
        from pipelines.steps import sagemaker_job
        from pipelines.steps.sagemaker_logs import JobLogs

        logs = JobLogs(self._client("logs"), name, self._step.log)
        spot_s = int(self._settings["max_wait_s"]) if self._settings.get("spot") else 0
        deadline_s = time.monotonic() + self._timeout_s + spot_s + _BEFORE_AND_AFTER_S
        pause_s, told = _FIRST_PAUSE_S, ""
        while True:
            described = sagemaker_job.describe(self._sagemaker, name) or {}
            if described.get("SecondaryStatus", "") != told:
                told = described["SecondaryStatus"]
                self._step.log.say(f"SageMaker: {told}")
            logs.follow()
            if described.get("TrainingJobStatus") in ("Completed", "Failed", "Stopped"):
                return described
            if time.monotonic() > deadline_s:
                raise sagemaker_job.timed_out(name, self._timeout_s)
            self._step.log.tick()
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)

    def _stop(self, name: str) -> None:
        """A job that ended, or never began, needs no stop."""
        from botocore.exceptions import BotoCoreError, ClientError

        from pipelines.steps.sagemaker_job import is_missing

        brief = {"connect_timeout": _STOP_S, "read_timeout": _STOP_S, "retries": {"total_max_attempts": 2}}
        try:
            self._client("sagemaker", **brief).stop_training_job(TrainingJobName=name)
        except (BotoCoreError, ClientError) as error:
            if not is_missing(error):
                self._step.log.say(f"(the training job {name} could not be stopped: {error})")
        else:
            self._step.log.say(f"The training job {name} is told to stop.")

    def _with_exception(self, failed: StepFailed, folder: Path) -> StepFailed:
        raised = last_exception(self._step.log.recent_lines(), checkout=self._step.folder / "code", folder=folder)
        if failed.kind is not FailureKind.EXIT or raised is None:
            return failed
        return StepFailed(FailureKind.EXCEPTION, raised.message, frames=raised.frames)

    def _bring_back(self, name: str, model: Path, output: Path) -> None:
        for archive, folder in (("model.tar.gz", model), ("output.tar.gz", output)):
            key = self._place.key(name, f"output/{name}/output/{archive}")
            if not self._s3.list_objects_v2(Bucket=self._place.bucket, Prefix=key, MaxKeys=1).get("Contents"):
                continue  # a job without output has none; one without a model is told of where models are kept
            here = self._step.folder / archive
            self._s3.download_file(self._place.bucket, key, str(here))
            unpack(here, folder)
            here.unlink()
