"""Tokens for the addresses that this run clones from: read once, then gone from disk and environment, so that the
model's own code never finds them.

On a cluster they come as a variable from a Secret that only the fetch step's pod has. It holds them, or says where the
bot gives them in exchange for the run's own token: `{"exchange": "https://…"}`."""

from __future__ import annotations

import json
import os
import time
from base64 import b64encode
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.steps.callback import token
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.http_request import FAULTS, request

CREDENTIALS = "MLOPS_BOT_GIT_CREDENTIALS"
CREDENTIALS_FILE = f"{CREDENTIALS}_FILE"
TIMEOUT_S = 10.0
PATIENCE_S = 120.0
PAUSE_S = 2.0


def git_configuration(address: str) -> dict[str, str]:
    """git's configuration for one address, to be given by environment; empty where there is no token for it."""
    found = _credentials().get(address)
    if found is None:
        return {}
    parts = urlsplit(address)
    token = b64encode(f"{found['username']}:{found['password']}".encode()).decode()
    return {
        f"http.{parts.scheme}://{parts.netloc}/.extraHeader": f"Authorization: Basic {token}",
        "http.followRedirects": "false",
    }


@cache
def _credentials() -> dict[str, dict[str, str]]:
    """Clone address to username and password."""
    given = os.environ.pop(CREDENTIALS, "")
    name = os.environ.get(CREDENTIALS_FILE)
    if name and Path(name).exists():
        given = Path(name).read_text(encoding="utf-8")
        Path(name).unlink()
    credentials: dict[str, dict[str, str]] = json.loads(given) if given else {}
    exchange = credentials.get("exchange")
    return _exchanged(exchange) if isinstance(exchange, str) else credentials


def _exchanged(url: str) -> dict[str, dict[str, str]]:
    """Waits for a bot that is being restarted. Raises StepFailed."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = request("POST", url, body={}, headers=token(), timeout_s=TIMEOUT_S)
        except FAULTS as fault:
            trouble = str(fault) or type(fault).__name__
        else:
            if answer.status == 200:
                return dict(answer.json())
            document = answer.json()
            problem = document.get("problem") if isinstance(document, dict) else ""
            trouble = str(problem or f"it answered {answer.status}")
            if answer.status < 500 and answer.status != 429:
                raise StepFailed(FailureKind.REFUSED, f"The bot gave no token for the repository: {trouble}")
        if time.monotonic() + PAUSE_S > deadline_s:
            raise StepFailed(
                FailureKind.UNREACHABLE,
                f"The bot, which gives the token for the repository, can not be reached from here: {trouble}",
                fix="Whoever runs this bot sees to MLOPS_BOT_CALLBACK_URL; then write `/retry`.",
            )
        time.sleep(PAUSE_S)
