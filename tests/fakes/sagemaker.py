"""SageMaker's training jobs over HTTP, with moto's S3 and CloudWatch behind: jobs really run, in script mode.

moto knows training jobs, but does not run them, and can not stop them. Requests are checked against botocore's own
description of the service, patterns and lengths included, which the client itself does not check.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.session import get_session
from botocore.validate import ParamValidator
from moto.server import ThreadedMotoServer

GROUP = "/aws/sagemaker/TrainingJobs"
REGION = "eu-central-1"
SECRET = "bot-secret-of-amazon"


@dataclass
class Job:
    request: Mapping[str, Any]
    status: str = "InProgress"
    secondary: str = "Starting"
    reason: str = ""
    process: subprocess.Popen[str] | None = None
    began: threading.Event = field(default_factory=threading.Event)


@dataclass
class SageMaker:
    """`refuse` answers the next CreateTrainingJob with an error; `outcome` lets jobs end without running anything."""

    folder: Path
    amazon: str
    address: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    refuse: tuple[str, str] | None = None
    outcome: tuple[str, str, str] | None = None
    archive: bytes | None = None  # takes the place of model.tar.gz
    began: threading.Event = field(default_factory=threading.Event)
    stopped: list[str] = field(default_factory=list)

    def environ(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.amazon,
            "AWS_ENDPOINT_URL_SAGEMAKER": self.address,
            "AWS_ACCESS_KEY_ID": "bot-key",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.amazon,
            region_name=REGION,
            aws_access_key_id="amazon",
            aws_secret_access_key="amazon",
        )

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any] | tuple[str, str]:
        """A tuple is an error's code and message."""
        problems = shape_problems(operation, asked)
        if problems:
            return "ValidationException", problems
        name = asked["TrainingJobName"]
        if operation == "CreateTrainingJob":
            return self._create(name, asked)
        job = self.jobs.get(name)
        if job is None:
            return "ValidationException", "Requested resource not found."
        if operation == "StopTrainingJob":
            self.stopped.append(name)
            job.status, job.secondary = "Stopping", "Stopping"
            if job.process is not None:
                job.process.terminate()
            return {}
        reason = {"FailureReason": job.reason} if job.reason else {}
        return {"TrainingJobName": name, "TrainingJobStatus": job.status, "SecondaryStatus": job.secondary, **reason}

    def _create(self, name: str, asked: dict[str, Any]) -> dict[str, Any] | tuple[str, str]:
        if self.refuse is not None:
            return self.refuse
        if name in self.jobs:
            return "ResourceInUse", "Job name must be unique"
        job = self.jobs[name] = Job(asked)
        if self.outcome is not None:
            job.status, job.secondary, job.reason = self.outcome
        else:
            threading.Thread(target=self._carry_out, args=(name, job), daemon=True).start()
        return {"TrainingJobArn": f"arn:aws:sagemaker:{REGION}:123456789012:training-job/{name}"}

    def _carry_out(self, name: str, job: Job) -> None:
        root = self.folder / name
        code, model, output = (root / part for part in ("code", "model", "output"))
        for folder in (code, model, output):
            folder.mkdir(parents=True)
        parameters = {key: json.loads(value) for key, value in job.request["HyperParameters"].items()}
        source = self._read(parameters["sagemaker_submit_directory"])
        with tarfile.open(fileobj=io.BytesIO(source)) as packed:
            packed.extractall(code, filter="data")
        channels = {}
        for channel in job.request.get("InputDataConfig", ()):
            folder = root / "input" / channel["ChannelName"]
            self._download(channel["DataSource"]["S3DataSource"]["S3Uri"], folder)
            channels["SM_CHANNEL_" + channel["ChannelName"].upper()] = str(folder)
        names = {"SM_MODEL_DIR": str(model), "SM_OUTPUT_DATA_DIR": str(output), **channels}
        options = [word for key, value in parameters.items() for word in (f"--{key}", str(value))]
        job.process = subprocess.Popen(
            [sys.executable, parameters["sagemaker_program"], *options],
            cwd=code,
            env={
                "PATH": os.defpath + os.pathsep + str(Path(sys.executable).parent),
                **names,
                **job.request.get("Environment", {}),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        job.secondary = "Training"
        self._follow(name, job.process)
        exit_code = job.process.wait()
        if job.status == "Stopping":
            job.status, job.secondary = "Stopped", "Stopped"
        elif exit_code:
            job.reason = f"AlgorithmError: ExecuteUserScriptError: ExitCode {exit_code}"
            job.status, job.secondary = "Failed", "Failed"
        else:
            at = job.request["OutputDataConfig"]["S3OutputPath"]
            self._write(f"{at}/{name}/output/model.tar.gz", self.archive or _packed(model))
            self._write(f"{at}/{name}/output/output.tar.gz", _packed(output))
            job.status, job.secondary = "Completed", "Completed"

    def _follow(self, name: str, process: subprocess.Popen[str]) -> None:
        logs, stream = self.client("logs"), f"{name}/algo-1-1700000000"
        if not logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
            logs.create_log_group(logGroupName=GROUP)
        logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        assert process.stdout is not None
        for line in process.stdout:
            event = {"timestamp": int(time.time() * 1000), "message": line.rstrip("\n") or " "}
            logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=[event])
            self.began.set()

    def _read(self, address: str) -> bytes:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        content: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def _download(self, address: str, folder: Path) -> None:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        for found in self.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]:
            target = folder / found["Key"].removeprefix(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._read(f"s3://{bucket}/{found['Key']}"))

    def _write(self, address: str, content: bytes) -> None:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def _packed(folder: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as packed:
        packed.add(folder, arcname=".")
    return content.getvalue()


def shape_problems(operation: str, asked: dict[str, Any]) -> str:
    shape = get_session().get_service_model("sagemaker").operation_model(operation).input_shape
    report = ParamValidator().validate(asked, shape)
    return report.generate_report() or "; ".join(_limits(shape, asked, operation))


def _limits(shape: Shape, value: Any, place: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, part in value.items():
            yield from _limits(shape.members[name], part, f"{place}.{name}")
    elif isinstance(shape, ListShape):
        for part in value:
            yield from _limits(shape.member, part, place)
    elif isinstance(shape, MapShape):
        for key, part in value.items():
            yield from _limits(shape.key, key, f"{place}.{key}")
            yield from _limits(shape.value, part, f"{place}.{key}")
    elif isinstance(shape, StringShape):
        pattern, most = shape.metadata.get("pattern"), shape.metadata.get("max")
        if pattern and not re.fullmatch(pattern, value, re.DOTALL):
            yield f"{place} does not match {pattern}"
        if most and len(value) > most:
            yield f"{place} is longer than {most}"


@contextmanager
def sagemaker_server(folder: Path) -> Iterator[SageMaker]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    world = SageMaker(folder, f"http://{host}:{port}")
    reset = urllib.request.Request(f"{world.amazon}/moto-api/reset", method="POST")  # what an earlier test left
    urllib.request.urlopen(reset, timeout=10).close()
    world.client("s3").create_bucket(Bucket="training", CreateBucketConfiguration={"LocationConstraint": REGION})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            service, _, operation = self.headers["x-amz-target"].partition(".")
            assert service == "SageMaker"
            assert "Credential=bot-key/" in self.headers["authorization"]
            answer = world.answer(operation, asked)
            body: dict[str, Any] = answer if isinstance(answer, dict) else {"__type": answer[0], "message": answer[1]}
            content = json.dumps(body).encode()
            self.send_response(200 if isinstance(answer, dict) else 400)
            self.send_header("content-type", "application/x-amz-json-1.1")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield world
    finally:
        for job in world.jobs.values():
            if job.process is not None:
                job.process.kill()
        server.shutdown()
        server.server_close()
        moto.stop()
