"""A cluster of fakes, and engines that work with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pipelines
from bot.engines.kubeflow import KubeflowEngine
from bot.engines.kubeflow_settings import KubeflowSettings
from tests.fakes.kubeflow.executor import LocalExecutor
from tests.fakes.kubeflow.kubernetes import FakeKubernetes
from tests.fakes.kubeflow.server import FakeKubeflow

PACKAGES = pipelines.package_path("train").parent
IMAGE = "registry.example.com/mlops-bot-runner:1"


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
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _engines: list[KubeflowEngine] = field(default_factory=list)

    @classmethod
    @contextmanager
    def executing(cls, home: Path) -> Iterator[Cluster]:
        """Runs are really carried out."""
        kubernetes = FakeKubernetes()
        executor = LocalExecutor(home, kubernetes)
        with cls(FakeKubeflow(executor=executor), kubernetes).running() as cluster:
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
