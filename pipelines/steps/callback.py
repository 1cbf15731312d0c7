"""Telling the bot that the run has a result. It only makes the answer quick: the bot also looks by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from pipelines.steps.http_request import FAULTS, request
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
            status = request("POST", url, body={"run_id": run_id}, headers=token(), timeout_s=TIMEOUT_S).status
        except (*FAULTS, ValueError) as error:
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


def token() -> dict[str, str]:
    """The header that shows the bot which run is speaking."""
    return {"Authorization": f"Bearer {os.environ.get(CALLBACK_TOKEN, '')}"}
