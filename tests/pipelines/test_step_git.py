"""git's guards: the forge's token goes to one host, through a file, and never into an argument."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps import git_credentials
from pipelines.steps.failure import StepFailed
from pipelines.steps.git import Checkout, GitFailed, git_environment
from tests.fakes.json_server import serving_json


@pytest.fixture
def credentials_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "credentials.json"
    own = "https://git.example.com/acme/churn.git"
    path.write_text(json.dumps({own: {"username": "x-access-token", "password": "forge-token"}}))
    monkeypatch.setenv("MLOPS_BOT_GIT_CREDENTIALS_FILE", str(path))
    git_credentials._credentials.cache_clear()
    yield path
    git_credentials._credentials.cache_clear()


def configuration(address: str) -> dict[str, str]:
    environment = git_environment(address)
    count = int(environment["GIT_CONFIG_COUNT"])
    return {environment[f"GIT_CONFIG_KEY_{i}"]: environment[f"GIT_CONFIG_VALUE_{i}"] for i in range(count)}


@pytest.mark.usefixtures("credentials_file")
def test_the_token_is_given_to_its_own_address_alone():
    own = configuration("https://git.example.com/acme/churn.git")

    basic = b64encode(b"x-access-token:forge-token").decode()
    assert own["http.https://git.example.com/.extraHeader"] == f"Authorization: Basic {basic}"
    assert own["http.followRedirects"] == "false"
    for address in ("https://evil.org/x.git", "http://git.example.com/acme/churn.git", "/acme/churn.git"):
        assert configuration(address) == {}


def test_the_tokens_are_gone_from_the_disk_once_they_are_read(credentials_file: Path):
    git_environment("https://git.example.com/acme/churn.git")

    assert not credentials_file.exists()
    assert configuration("https://git.example.com/acme/churn.git") != {}, "they are remembered by this process"


def test_git_never_asks_and_reads_no_configuration_but_ours():
    environment = git_environment("/some/where.git")

    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert environment["GIT_ALLOW_PROTOCOL"] == "https:ssh:file"
    assert environment["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert environment["GIT_CONFIG_COUNT"] == "0"


@pytest.mark.parametrize("sha", ["main", "--upload-pack=x", "HEAD", "a" * 39, ""])
def test_only_a_sha_is_fetched(tmp_path: Path, sha: str):
    with pytest.raises(GitFailed, match="is not a commit's sha"):
        Checkout(tmp_path / "code").fetch("/some/where.git", sha)


def test_on_a_cluster_they_come_as_a_variable_which_nothing_that_is_started_later_has(monkeypatch: pytest.MonkeyPatch):
    own = "https://git.example.com/acme/churn.git"
    monkeypatch.setenv("MLOPS_BOT_GIT_CREDENTIALS", json.dumps({own: {"username": "oauth2", "password": "token"}}))
    git_credentials._credentials.cache_clear()
    try:
        assert "http.https://git.example.com/.extraHeader" in configuration(own)
        assert "MLOPS_BOT_GIT_CREDENTIALS" not in os.environ
    finally:
        git_credentials._credentials.cache_clear()


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, Any]]]:
    """What the bot answers, one after the other, to a step that exchanges its run's token."""
    answers: list[tuple[int, Any]] = []

    def respond(method: str, path: str, headers: Mapping[str, str], _body: Any) -> tuple[int, Any]:
        assert (method, path, headers["Authorization"]) == ("POST", "/run-1/credentials", "Bearer token-of-run-1")
        return answers.pop(0)

    monkeypatch.setattr(git_credentials, "PAUSE_S", 0.01)
    monkeypatch.setenv("MLOPS_BOT_CALLBACK_TOKEN", "token-of-run-1")
    git_credentials._credentials.cache_clear()
    with serving_json(respond) as url:
        given = json.dumps({"exchange": f"{url}/run-1/credentials"})
        monkeypatch.setenv("MLOPS_BOT_GIT_CREDENTIALS", given)
        yield answers
    git_credentials._credentials.cache_clear()


def test_a_runs_own_token_is_exchanged_for_the_repositorys_even_while_the_bot_is_being_restarted(
    exchange: list[tuple[int, Any]],
):
    own = "https://git.example.com/acme/churn.git"
    exchange += [(503, {}), (200, {own: {"username": "oauth2", "password": "forge-token"}})]

    found = configuration(own)

    basic = b64encode(b"oauth2:forge-token").decode()
    assert found["http.https://git.example.com/.extraHeader"] == f"Authorization: Basic {basic}"
    assert exchange == []


def test_a_run_that_is_given_no_token_says_why(exchange: list[tuple[int, Any]]):
    exchange.append((409, {"problem": "This run does not go on."}))

    with pytest.raises(StepFailed, match=r"The bot gave no token for the repository: This run does not go on\."):
        configuration("https://git.example.com/acme/churn.git")
