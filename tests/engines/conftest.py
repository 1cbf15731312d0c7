from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.engines.kubeflow import KubeflowEngine
from bot.engines.local import LocalEngine
from tests.engines.kit import compile_packages, local_engine
from tests.engines.kubeflow_kit import Clock, Cluster
from tests.fakes.kubeflow.kubernetes import FakeKubernetes
from tests.fakes.kubeflow.server import FakeKubeflow


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_packages(tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def engine(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """One for all tests that do it no harm: its runner imports kfp once."""
    shared = local_engine(tmp_path_factory.mktemp("engine"), packages)
    yield shared
    shared.close()


@pytest.fixture
def make_engine(packages: Path, tmp_path: Path) -> Iterator[Callable[..., LocalEngine]]:
    """Engines of this test alone, on one home."""
    made: list[LocalEngine] = []

    def make(**settings: Any) -> LocalEngine:
        made.append(local_engine(tmp_path / "home", packages, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    folder = tmp_path / "artifacts"
    folder.mkdir()
    return folder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cluster(clock: Clock) -> Iterator[Cluster]:
    """Runs stand still until a test says what becomes of them."""
    with Cluster(FakeKubeflow(), FakeKubernetes(), clock).running() as made:
        yield made


@pytest.fixture
def on_cluster(cluster: Cluster) -> KubeflowEngine:
    return cluster.engine()
