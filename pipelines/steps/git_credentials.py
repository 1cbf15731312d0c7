"""Tokens for the addresses that this run clones from: read once, then gone from disk and environment, so that the
model's own code never finds them. On a cluster only the fetch step's pod has them, as a variable from a Secret."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

CREDENTIALS = "MLOPS_BOT_GIT_CREDENTIALS"
CREDENTIALS_FILE = f"{CREDENTIALS}_FILE"


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
    return dict(json.loads(given)) if given else {}
