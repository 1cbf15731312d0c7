"""`mlops-bot comment`, against a receiver that answers as the service's API does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.plain_world import Receiver


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "access-token").write_text("the-token")
    return tmp_path


@pytest.fixture
def service(home: Path) -> Iterator[Receiver]:
    receiver = Receiver(201)
    (home / "service-url").write_text(receiver.url)
    yield receiver
    receiver.close()


def comment(home: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MLOPS_BOT_")},
        "MLOPS_BOT_HOME": str(home),
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    return subprocess.run(
        [sys.executable, "-c", "from bot.cli import main; main()", "comment", *arguments],
        env=environ, input=text, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_comment_is_given_to_the_service_with_the_token(home: Path, service: Receiver) -> None:
    done = comment(home, "models", "3", "/train n_estimators=400", "--author", "ada")

    message = service.next()
    assert done.returncode == 0, done.stderr
    assert message.path == "/api/v1/repositories/plain/models/changes/3/comments"
    assert message.headers["authorization"] == "Bearer the-token"
    assert json.loads(message.body) == {"body": "/train n_estimators=400", "author": "ada"}
    assert done.stdout.startswith("Written on change 3 of plain/models: http://")


def test_a_long_comment_comes_from_standard_input(home: Path, service: Receiver) -> None:
    comment(home, "plain/models", "3", "-", text="one\n/train\n")

    assert json.loads(service.next().body) == {"body": "one\n/train\n"}


def test_without_a_service_it_says_how_to_start_it(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    (home / "service-url").write_text(f"http://127.0.0.1:{port}")

    done = comment(home, "models", "3", "/train")

    assert done.returncode == 2
    assert done.stderr == (
        f"error: Nothing answers at http://127.0.0.1:{port}: the service is not running.\n"
        "  fix: Start it: mlops-bot serve\n"
    )


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, 2, "There is no such repository or change."),
        (401, 2, "The service does not accept this access token."),
        (409, 2, "The service refused it (409)."),
        (503, 75, "answered 503. Its log tells why."),
    ],
)
def test_a_refusal_is_told(home: Path, status: int, code: int, words: str) -> None:
    receiver = Receiver(status)
    (home / "service-url").write_text(receiver.url)

    done = comment(home, "models", "3", "/train")

    receiver.close()
    assert done.returncode == code
    assert words in done.stderr
