"""One service for each test process, and one for each forge; each test has a repository of its own there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from bot.service import Service
from bot.settings import load_settings
from bot.usecases.repository_loop import watch_all
from tests.engines.kubeflow_kit import Cluster
from tests.journeys.environments import open_shared, share_environments
from tests.journeys.forge_place import Towns
from tests.journeys.forges import TOWNS
from tests.journeys.workplace import Running, Workplace, make_workplace


@pytest.fixture(scope="session", autouse=True)
def _environments(tmp_path_factory: pytest.TempPathFactory) -> None:
    open_shared(tmp_path_factory)


@pytest.fixture(scope="session")
def engine_environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`JOURNEYS_ENGINE=kubeflow pytest tests/journeys` takes the same journeys on a cluster of fakes."""
    if os.environ.get("JOURNEYS_ENGINE") != "kubeflow":
        yield {}
        return
    with Cluster.executing(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster.environ


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory, engine_environ: dict[str, str]) -> Iterator[Service]:
    home = tmp_path_factory.mktemp("service") / "home"
    share_environments(home)
    environ = {"MLOPS_BOT_HOME": str(home), "MLOPS_BOT_PORT": "0", "MLOPS_BOT_CONCURRENCY": "2"}
    service = Service(load_settings({**environ, **engine_environ}))
    with service.running():
        yield service


@pytest.fixture
def place(shared_service: Service, tmp_path: Path, request: pytest.FixtureRequest) -> Workplace:
    """A watched repository; its first commit is not pushed yet."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    name = f"{words}-{sha256(request.node.name.encode()).hexdigest()[:6]}"  # cases of one test may share their words
    made = make_workplace(tmp_path, home=shared_service.settings.home, name=name)
    watch_all(shared_service.bot.world)
    return made


@pytest.fixture
def running(shared_service: Service, place: Workplace) -> Running:
    return Running(shared_service, place.key)


@pytest.fixture
def lonely(tmp_path: Path, engine_environ: dict[str, str]) -> Workplace:
    """A repository in a home of its own, for tests that start and end services."""
    return replace(make_workplace(tmp_path), engine=engine_environ)


@pytest.fixture(scope="session")
def towns(tmp_path_factory: pytest.TempPathFactory, engine_environ: dict[str, str]) -> Iterator[Towns]:
    """The forges at the level of HTTP, each with a service, for each test process."""
    made = Towns(tmp_path_factory.mktemp("towns"), TOWNS, engine_environ)
    yield made
    made.close()
