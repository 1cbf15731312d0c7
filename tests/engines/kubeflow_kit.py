"""A cluster of fakes, and engines that work with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pipelines
from bot.domain.run import EngineRun
from bot.engines.kubeflow import KubeflowEngine
from bot.engines.kubeflow_settings import KubeflowSettings
from bot.ports.engine import Engine, Submission
from tests.fakes.kubeflow.executor import LocalExecutor
from tests.fakes.kubeflow.kubernetes import FakeKubernetes
from tests.fakes.kubeflow.server import FakeKubeflow

PACKAGES = pipelines.package_path("train").parent
IMAGE = "registry.example.com/mlops-bot-runner:1"
TOKEN = "callback-token-that-nobody-may-read"


def utc_now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Cluster:
    kubeflow: FakeKubeflow
    kubernetes: FakeKubernetes
    clock: Callable[[], datetime] = utc_now
    executor: LocalExecutor | None = None
    _engines: list[KubeflowEngine] = field(default_factory=list)

    @classmethod
    @contextmanager
    def executing(cls, home: Path, *, identity: Mapping[str, str] | None = None) -> Iterator[Cluster]:
        """Runs are really carried out."""
        kubernetes = FakeKubernetes()
        executor = LocalExecutor(home, kubernetes, identity=identity)
        with cls(FakeKubeflow(executor=executor), kubernetes, executor=executor).running() as cluster:
            yield cluster
        executor.close()

    @contextmanager
    def running(self) -> Iterator[Cluster]:
        try:
            yield self
        finally:
            for engine in self._engines:
                engine.close()
            self.kubeflow.close()
            self.kubernetes.close()

    def engine(self, packages: Path = PACKAGES, *, read_timeout_s: float = 10.0, **settings: Any) -> KubeflowEngine:
        told = KubeflowSettings(
            **{"url": self.kubeflow.url, "image": IMAGE, "kubernetes_url": self.kubernetes.url} | settings
        )
        self._engines.append(KubeflowEngine(told, packages=packages, clock=self.clock, read_timeout_s=read_timeout_s))
        return self._engines[-1]

    @property
    def environ(self) -> dict[str, str]:
        """What a service is told to use this cluster."""
        return {
            "MLOPS_BOT_ENGINE": "kubeflow",
            "MLOPS_BOT_KUBEFLOW_URL": self.kubeflow.url,
            "MLOPS_BOT_KUBEFLOW_IMAGE": IMAGE,
            "MLOPS_BOT_KUBERNETES_URL": self.kubernetes.url,
        }

    def add_run_like(self, name: str, other_name: str) -> str:
        """A run on Kubeflow that no engine of this process submitted; gives its name."""
        records = self.kubeflow.records
        pattern = self.kubeflow.named(name)[0]
        version = records.versions[pattern["pipeline_version_reference"]["pipeline_version_id"]]
        kept = ("description", "experiment_id", "pipeline_version_reference", "runtime_config")
        records.add_run({"display_name": other_name, **{key: pattern[key] for key in kept}}, version)
        return other_name


def training(number: int = 1, **changed: Any) -> Submission:
    run_id = f"run-{number:016x}"
    arguments = {
        "run_id": run_id,
        "run_prefix": f"s3://artifacts/runs/{run_id}",
        "callback_url": f"https://mlops.example.com/callbacks/runs/{run_id}",
        "repository": "github/acme/churn",
        "clone_address": "https://github.com/acme/churn.git",
        "sha": "0123456789abcdef0123456789abcdef01234567",
        "model": "churn",
        "model_path": ".",
        "data_address": "",
        "data_sha": "",
        "data_path": "",
        "params": {"trees": 200},
        "split": {},
        "environment": {"python": "3.11", "requirements": "requirements.txt", "image": ""},
        "env": {},
        "secrets": [],
        "evaluate": {},
        "lineage": {},
        "train": {"run": "python train.py", "timeout_s": 7200, "memory_bytes": 4 << 30, "cpu": 2.0, "gpu": 1},
    }
    return Submission(run_id, "train", arguments | changed, {"MLOPS_BOT_CALLBACK_TOKEN": TOKEN})


def one(engine: Engine, run_id: str) -> EngineRun:
    return engine.observe([run_id])[run_id]
