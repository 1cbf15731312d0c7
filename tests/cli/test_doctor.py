"""`mlops-bot doctor`: names what does not work, with the remedy, with a service and without one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bot.settings import load_settings
from bot.store import open_store
from tests.cli.conftest import Run
from tests.fakes.s3_server import S3Server, use
from tests.web.kit import Workplace

PARTS = ["store", "forge plain", "engine", "artifacts"]
MACHINE = ["git", "uv", "disk", "hooks"]


def a_bare_repository(home: Path, name: str) -> Path:
    path = home / "repositories" / f"{name}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(path)], check=True)
    return path


def test_without_a_service_each_part_is_opened_and_looked_at(mlops_bot: Run):
    code, out, err = mlops_bot("doctor")

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert [line.split("  ")[1].strip() for line in lines[:-1]] == [*PARTS, *MACHINE]
    assert all(line.startswith("ok  ") for line in lines[:-1])
    assert lines[-1] == "All works. The service is not running; start it: mlops-bot serve"


def test_what_does_not_work_is_named_with_its_remedy_and_ends_with_1(mlops_bot: Run, tmp_path: Path):
    a_bare_repository(tmp_path, "models")
    (tmp_path / "repositories" / "models.git" / "hooks" / "post-receive").write_text("#!/bin/sh\n")

    code, out, _ = mlops_bot("doctor", "--json")
    answer = json.loads(out)

    failing = [finding for finding in answer["findings"] if not finding["works"]]
    assert (code, answer["service"]) == (1, "not running")
    assert failing == [
        {
            "part": "hooks",
            "works": False,
            "words": "The hook of `models` does not tell the service of pushes: Another hook stands in its place.",
            "fix": "Mend that, then start the service, or `mlops-bot watch` the repository: both write the hook anew.",
        }
    ]


def test_a_database_that_another_process_holds_does_not_hide_the_other_parts(mlops_bot: Run, tmp_path: Path):
    store = open_store(load_settings({"MLOPS_BOT_HOME": str(tmp_path)}).database_url)
    try:
        code, out, _ = mlops_bot("doctor")
    finally:
        store.close()

    assert code == 1
    assert "NO  store" in out
    assert "is in use by another mlops-bot" in out
    assert "fix: SQLite serves one process: stop the other one, or use PostgreSQL" in out
    assert out.count("\nok  ") == len(PARTS) + len(MACHINE) - 1
    assert "Does not work: store." in out


def test_a_running_service_is_asked(mlops_bot: Run, place: Workplace):
    well = mlops_bot("doctor")
    place.engine.problem = f"the runner does not answer, token {place.token}"
    code, out, _ = mlops_bot("doctor", "--json")

    answer = json.loads(out)
    assert well[0] == 0
    assert well[1].endswith("All works.\n")
    assert (code, answer["service"]) == (1, "running")
    assert [finding["part"] for finding in answer["findings"]] == [*PARTS, "serving", "loop", *MACHINE]
    assert [finding for finding in answer["findings"] if not finding["works"]] == [
        {
            "part": "engine",
            "works": False,
            "words": "the runner does not answer, token ***",
            "fix": "Its log is `engine/runner.log` in the bot's home folder.",
        }
    ]


@pytest.mark.parametrize(
    ("secrets", "fix"),
    [((), "Set MLOPS_BOT_GITHUB_WEBHOOK_SECRET."), (("a secret",), "Set MLOPS_BOT_PUBLIC_URL, and let the webhook")],
)
def test_a_forge_that_can_not_tell_us_anything_is_found(
    mlops_bot: Run, monkeypatch: pytest.MonkeyPatch, secrets: tuple[str, ...], fix: str
):
    monkeypatch.setenv("MLOPS_BOT_GITHUB_TOKEN", "a-token")
    monkeypatch.setenv("MLOPS_BOT_GITHUB_REPOSITORIES", "acme/churn")
    monkeypatch.setenv("MLOPS_BOT_GITHUB_API_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("MLOPS_BOT_GITHUB_WEBHOOK_SECRET", "\n".join(secrets).replace(" ", "-"))

    code, out, _ = mlops_bot("doctor")

    assert code == 1
    assert "NO  forge github" in out
    assert "NO  webhooks github" in out
    assert fix in out
    assert "a-token" not in out


def test_a_bucket_that_can_not_be_written_is_named_with_what_is_missing(
    mlops_bot: Run, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
):
    use(monkeypatch, s3_server.environ("reader"))
    monkeypatch.setenv("MLOPS_BOT_ARTIFACTS_URL", s3_server.new_url())

    code, out, _ = mlops_bot("doctor", "--json")

    (found,) = [finding for finding in json.loads(out)["findings"] if finding["part"] == "artifacts"]
    assert (code, found["works"]) == (1, False)
    assert "can not be written to: it refuses the bot's credentials, or they lack this permission" in found["words"]
    assert "MLOPS_BOT_ARTIFACTS_URL" in found["fix"]
