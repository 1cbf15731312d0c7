"""git's guards: the forge's token goes to one host, through a file, and never into an argument."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipelines.steps.git import Checkout, GitFailed, git_environment


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("forge-token\n")
    monkeypatch.setenv("MLOPS_BOT_GIT_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("MLOPS_BOT_GIT_TOKEN_HOST", "git.example.com")


def answer(environment: dict[str, str], prompt: str) -> str:
    done = subprocess.run([environment["GIT_ASKPASS"], prompt], env=environment, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.usefixtures("token")
def test_the_token_is_given_to_its_own_host_alone(tmp_path: Path):
    own = git_environment("https://git.example.com/acme/churn.git", tmp_path / "code")

    assert answer(own, "Username for 'https://git.example.com': ") == "x-access-token"
    assert answer(own, "Password for 'https://x-access-token@git.example.com': ") == "forge-token"
    assert answer(own, "Password for 'https://x-access-token@git.example.com.evil.org': ") == ""
    assert answer(own, "Password for 'https://evil.org': ") == ""
    for address in ("https://evil.org/x.git", "http://git.example.com/x.git", "https://git.example.com@evil.org/x"):
        assert answer(git_environment(address, tmp_path / "code"), "Password for 'https://git.example.com': ") == ""


def test_git_never_asks_and_reads_no_configuration_but_ours(tmp_path: Path):
    environment = git_environment("/some/where.git", tmp_path)

    assert environment["GIT_TERMINAL_PROMPT"] == "0"
    assert environment["GIT_ALLOW_PROTOCOL"] == "https:ssh:file"
    assert environment["GIT_CONFIG_GLOBAL"] == "/dev/null"
    assert "MLOPS_BOT_GIT_TOKEN_FILE" not in environment


@pytest.mark.parametrize("sha", ["main", "--upload-pack=x", "HEAD", "a" * 39, ""])
def test_only_a_sha_is_fetched(tmp_path: Path, sha: str):
    with pytest.raises(GitFailed, match="is not a commit's sha"):
        Checkout(tmp_path / "code").fetch("/some/where.git", sha)
