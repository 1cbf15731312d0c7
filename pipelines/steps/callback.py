"""Telling the bot that the run has a result. It only makes the answer quick: the bot also looks by itself."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from pipelines.steps.workplace import CALLBACK_TOKEN

TIMEOUT_S = 5.0
TRIES = 3

Say = Callable[[str], None]


def call_back(url: str, run_id: str, say: Say) -> bool:
    """Tries a few times; a failure is only said."""
    if not url.startswith(("http://", "https://")):
        say("The callback address is neither http nor https; nobody was told.")
        return False
    for attempt in range(1, TRIES + 1):
        try:
            status = _post(url, json.dumps({"run_id": run_id}).encode())
        except (OSError, HTTPException, ValueError) as error:
            say(f"The bot could not be told of the result (try {attempt} of {TRIES}): {error}")
        else:
            if status < 300:
                return True
            say(f"The bot answered {status} when told of the result (try {attempt} of {TRIES}).")
            if status < 500 and status != 429:  # it will not answer otherwise next time
                return False
        if attempt < TRIES:
            time.sleep(0.2 * attempt)
    return False


def _post(url: str, body: bytes) -> int:
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.netloc, timeout=TIMEOUT_S)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ.get(CALLBACK_TOKEN, '')}"}
    try:
        connection.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        return connection.getresponse().status
    finally:
        connection.close()
