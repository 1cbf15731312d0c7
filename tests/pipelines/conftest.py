"""Real repositories for the pipelines: small ones, made once for each test process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipelines.deploy_kit import Deploy, deployment
from tests.pipelines.kit import DataRepository, Workshop, make_data_repository


@pytest.fixture(scope="session")
def data_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data-template")
    make_data_repository(folder)
    return folder


@pytest.fixture
def data(data_template: Path, tmp_path: Path) -> DataRepository:
    """A dataset repository with a folder as DVC remote, of this test alone."""
    shutil.copytree(data_template, tmp_path / "datasets", symlinks=True)
    return DataRepository(tmp_path / "datasets")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("MLOPS_BOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLOPS_BOT_WORKDIR", str(tmp_path / "work"))
    monkeypatch.setenv("UV_NO_INDEX", "1")  # whatever is installed comes from a folder of the test
    return Workshop(tmp_path)


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploy]:
    """A deployment of a trained model whose server is good, with the bot's and the model server's fakes."""
    with deployment(tmp_path) as made:
        monkeypatch.setenv("MLOPS_BOT_CALLBACK_TOKEN", made.bot.token)
        monkeypatch.setenv("MLOPS_BOT_WORKDIR", str(tmp_path / "work"))
        yield made
