"""What the service lends of its own environment to steps on its machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bot.domain.errors import UserError
from bot.engines.lent_environment import lent, secret_values, step_names
from pipelines.steps import dvc_pull, store_environment, workplace
from pipelines.steps.world import Folders, world

SERVICE = {
    "AWS_ACCESS_KEY_ID": "an-access-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret-key",
    "AWS_PROFILE": "research",
    "GOOGLE_APPLICATION_CREDENTIALS": "/etc/google.json",
    "DVC_EXTRA": "1",
    "MLOPS_BOT_GITHUB_TOKEN": "a-forge-token",
}


def test_what_reaches_the_store_is_lent_by_the_stores_own_kind() -> None:
    assert lent("s3://bucket/prefix", (), SERVICE) == {
        "AWS_ACCESS_KEY_ID": "an-access-key",
        "AWS_SECRET_ACCESS_KEY": "a-secret-key",
        "AWS_PROFILE": "research",
        "MLOPS_BOT_STORE_ENV": "AWS_ACCESS_KEY_ID,AWS_PROFILE,AWS_SECRET_ACCESS_KEY",
    }
    assert "GOOGLE_APPLICATION_CREDENTIALS" in lent("gs://bucket", (), SERVICE)
    assert lent("file:///artifacts", (), SERVICE) == {}


def test_credentials_below_the_services_home_are_found_by_steps_that_have_another_home(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").touch()

    found = lent("s3://bucket", (), {"HOME": str(tmp_path)})

    assert found["AWS_SHARED_CREDENTIALS_FILE"] == str(tmp_path / ".aws/credentials")
    assert "AWS_CONFIG_FILE" not in found


def test_what_an_operator_names_is_lent_and_nothing_of_the_bots_own_can_be() -> None:
    assert step_names("AWS_PROFILE, DVC_EXTRA") == ("AWS_PROFILE", "DVC_EXTRA")
    assert lent("file:///artifacts", ("DVC_EXTRA", "NOT_SET"), SERVICE) == {"DVC_EXTRA": "1"}
    for text in ("MLOPS_BOT_GITHUB_TOKEN", "A-B", "1A"):
        with pytest.raises(UserError, match="MLOPS_BOT_STEP_ENV names"):
            step_names(text)


def test_keys_are_masked_and_names_of_places_are_not() -> None:
    assert secret_values(lent("s3://bucket", ("DVC_EXTRA",), SERVICE)) == ["an-access-key", "a-secret-key"]


def test_dvc_is_given_what_an_operator_named_and_not_what_is_for_the_store_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in lent("s3://bucket", ("AWS_PROFILE",), SERVICE).items():
        monkeypatch.setenv(name, value)

    environment = dvc_pull._environment(tmp_path)

    assert environment["AWS_PROFILE"] == "research"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLOPS_BOT_STORE_ENV"} & environment.keys()


def test_the_models_own_code_is_given_neither(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in lent("s3://bucket", ("DVC_EXTRA",), SERVICE).items():
        monkeypatch.setenv(name, value)
    folders = Folders(tmp_path, tmp_path, tmp_path, tmp_path)

    given = world(folders=folders, params={}, split={}, declared={}, secrets={}, venv=None)

    assert not {"DVC_EXTRA", *(name for name in given if name.startswith("AWS_"))} & given.keys()
    assert set(workplace.all_secret_values()) == {"an-access-key", "a-secret-key"}


def test_what_comes_in_a_file_is_taken_off_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "store-environment.json"
    file.write_text(json.dumps({"AWS_PROFILE": "research"}))
    monkeypatch.setenv("AWS_PROFILE", "")
    monkeypatch.setenv(store_environment.NAMES, "")
    monkeypatch.setenv(store_environment.FILE, str(file))

    store_environment.take()

    assert not file.exists()
    assert os.environ["AWS_PROFILE"] == "research"
    assert store_environment.lent_names() == {"AWS_PROFILE"}
