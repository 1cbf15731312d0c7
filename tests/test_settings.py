"""Settings: what can not be meant is refused with what to write instead; secrets are made once and kept."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.errors import UserError
from bot.settings import load_settings, publish_address, published_address, withdraw_address


def settings(home: Path, **environ: str):
    return load_settings({"MLOPS_BOT_HOME": str(home), **environ})


def test_without_any_variable_there_is_a_service_for_this_machine_alone(tmp_path: Path):
    found = load_settings({"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)})

    assert found.home == tmp_path / "mlops-bot"
    assert (found.host, found.port, found.engine) == ("127.0.0.1", 8321, "local")
    assert found.base_url == found.local_url == "http://127.0.0.1:8321"
    assert found.database_url == f"sqlite:///{found.home}/bot.sqlite3"
    assert found.artifacts_url == f"file://{found.home}/artifacts"
    assert found.local_places == os.cpu_count()
    assert stat.S_IMODE(found.home.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "value", "problem", "fix"),
    [
        ("MLOPS_BOT_PORT", "80a", "MLOPS_BOT_PORT is '80a'.", "Write a whole number from 0 to 65535."),
        ("MLOPS_BOT_PORT", "70000", "MLOPS_BOT_PORT is '70000'.", "Write a whole number from 0 to 65535."),
        ("MLOPS_BOT_CONCURRENCY", "0", "MLOPS_BOT_CONCURRENCY is '0'.", "Write a whole number from 1 to 1000."),
        ("MLOPS_BOT_LOG", "xml", "MLOPS_BOT_LOG is 'xml'.", "Use `text` or `json`."),
        (
            "MLOPS_BOT_PUBLIC_URL",
            "bot.example.com",
            "MLOPS_BOT_PUBLIC_URL is 'bot.example.com'.",
            "Write an address such as `https://mlops.example.com`.",
        ),
    ],
)
def test_a_value_that_can_not_be_meant_is_refused_with_what_to_write(name, value, problem, fix, tmp_path: Path):
    with pytest.raises(UserError) as raised:
        settings(tmp_path, **{name: value})

    assert (raised.value.problem, raised.value.fix) == (problem, fix)


def test_the_policy_file_is_found_from_wherever_the_service_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")

    assert settings(tmp_path).policy_file is None
    assert settings(tmp_path, MLOPS_BOT_POLICY_FILE="policy.yaml").policy_file == tmp_path / "policy.yaml"
    assert settings(tmp_path, MLOPS_BOT_POLICY_FILE="~/policy.yaml").policy_file == Path("/home/ada/policy.yaml")


def test_an_empty_variable_counts_as_not_given(tmp_path: Path):
    names = (
        "MLOPS_BOT_HOST",
        "MLOPS_BOT_PORT",
        "MLOPS_BOT_ENGINE",
        "MLOPS_BOT_LOG",
        "MLOPS_BOT_ACCESS_TOKEN",
        "MLOPS_BOT_POLICY_FILE",
    )

    assert settings(tmp_path, **dict.fromkeys(names, "")) == settings(tmp_path)


def test_a_home_that_can_not_be_made_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(UserError, match="can not be made: Not a directory"):
        settings(tmp_path / "file" / "home")


def test_a_secret_may_come_from_a_file(tmp_path: Path):
    (tmp_path / "token").write_text("from-a-file\n")

    assert settings(tmp_path, MLOPS_BOT_ACCESS_TOKEN_FILE=str(tmp_path / "token")).access_token == "from-a-file"
    with pytest.raises(UserError, match="MLOPS_BOT_ACCESS_TOKEN_FILE can not be read"):
        settings(tmp_path, MLOPS_BOT_ACCESS_TOKEN_FILE=str(tmp_path / "none"))


def test_secrets_are_made_once_kept_and_readable_by_their_owner_alone(tmp_path: Path):
    first, second = settings(tmp_path), settings(tmp_path)

    assert first.secret_values == second.secret_values
    assert len(set(first.secret_values)) == 4
    assert all(len(value) >= 40 for value in first.secret_values)
    for name in ("access-token", "predict-token", "hook-secret", "callback-secret"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree_on_the_secrets(tmp_path: Path):
    code = "import os; from bot.settings import load_settings; print(load_settings(os.environ).secret_values)"
    environ = {**os.environ, "MLOPS_BOT_HOME": str(tmp_path / "home")}

    def start(_number: int) -> str:
        return subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True).stdout

    with ThreadPoolExecutor(4) as pool:
        seen = set(pool.map(start, range(4)))

    assert len(seen) == 1
    assert "''" not in seen.pop()


def test_a_secret_that_a_crash_or_a_full_disk_left_empty_is_made_anew(tmp_path: Path):
    (tmp_path / "hook-secret").touch()

    made = settings(tmp_path).hook_secret

    assert len(made) >= 40
    assert settings(tmp_path).hook_secret == made


def test_the_address_for_this_machine_is_one_that_can_be_connected_to(tmp_path: Path):
    assert settings(tmp_path, MLOPS_BOT_HOST="0.0.0.0").local_url == "http://127.0.0.1:8321"
    assert settings(tmp_path, MLOPS_BOT_HOST="::").local_url == "http://[::1]:8321"
    public = settings(tmp_path, MLOPS_BOT_PUBLIC_URL="https://bot.example.com/mlops/")
    assert public.base_url == "https://bot.example.com/mlops"


def test_a_service_withdraws_its_own_address_when_it_stops_and_no_other(tmp_path: Path):
    mine = settings(tmp_path)
    publish_address(mine)
    assert published_address(tmp_path) == "http://127.0.0.1:8321"

    publish_address(replace(mine, port=9000))
    withdraw_address(mine)
    assert published_address(tmp_path) == "http://127.0.0.1:9000"

    withdraw_address(replace(mine, port=9000))
    assert published_address(tmp_path) is None
