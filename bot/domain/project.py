"""A project: the meaning of one `mlops.yaml` at one commit. `bot/project_file.py` reads it from text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.domain.gate import Gate

JsonValue = Any  # what `json.loads` gives; mypy has no useful recursive type for it here


@dataclass(frozen=True, slots=True)
class Data:
    """A DVC-tracked (or plainly committed) file or folder. `repo` "" means this repository; `./` and `../` are
    relative to this repository's own address, as in git submodules. `rev` "" means the other repository's default
    branch, or this very commit."""

    repo: str
    rev: str
    path: str


@dataclass(frozen=True, slots=True)
class Split:
    test: float
    seed: int


@dataclass(frozen=True, slots=True)
class Environment:
    """Paths are relative to the model's path; "" means not given."""

    python: str = ""
    requirements: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """`memory_bytes` 0 means no limit; `cpu` is in cores, 0 means no limit."""

    cpu: float = 0.0
    memory_bytes: int = 0
    gpu: int = 0


@dataclass(frozen=True, slots=True)
class SageMaker:
    """Where a training job on Amazon SageMaker runs. `bucket` is an `s3://` address; `max_wait_s` is for spot machines;
    `region` "" is the step's own."""

    role: str
    instance: str
    image: str
    bucket: str
    count: int = 1
    volume_gib: int = 30
    spot: bool = False
    max_wait_s: int = 3600
    region: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the repository. Run without a shell unless it needs one; here, without `sagemaker`."""

    run: str
    resources: Resources = Resources()
    timeout_s: int = 3600
    sagemaker: SageMaker | None = None


@dataclass(frozen=True, slots=True)
class Canary:
    """`percents` rise to 100; each but the last is held for `hold_s`. A limit of None is not looked at.

    `max_error_rate` is a share from 0 to 1, `max_latency_ms` the 99th percentile.
    """

    percents: tuple[int, ...] = (100,)
    hold_s: float = 300.0
    max_error_rate: float | None = 0.01
    max_latency_ms: float | None = None


@dataclass(frozen=True, slots=True)
class DeployEnvironment:
    """`approvers` are users and groups (`@acme/ml-leads`), empty for everybody who may write. `only_merged` takes
    nothing but commits of the default branch."""

    approvals: int = 0
    approvers: tuple[str, ...] = ()
    only_merged: bool = False
    canary: Canary = Canary()


@dataclass(frozen=True, slots=True)
class Deploy:
    """`serve` is the runtime. `resources` are those of the model server."""

    serve: str
    environments: Mapping[str, DeployEnvironment]
    resources: Resources = Resources()


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of `models:`. `params` are JSON Schema fragments, the only values that a comment may set."""

    name: str
    train: Step
    path: str = "."
    watch: tuple[str, ...] = ()
    data: Data | None = None
    split: Split | None = None
    environment: Environment = Environment()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    params: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=dict)
    evaluate: Step | None = None
    gates: tuple[Gate, ...] = ()
    deploy: Deploy | None = None
    monitor_schedule: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """`push_branches` empty means the default branch."""

    models: tuple[Model, ...]
    push_branches: tuple[str, ...] = ()
    on_change: bool = True

    def model(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)
