"""The service as a process of its own, to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.journeys.workplace import Workplace

START_WITHIN_S = 30.0


@contextmanager
def killed_service(place: Workplace, *, after_s: float) -> Iterator[None]:
    """`mlops-bot serve`, ready; some time after the block it is killed, in the middle of whatever it does."""
    (place.home / "service-url").unlink(missing_ok=True)
    environ = {**os.environ, **place.settings_environ()}
    with (place.home / "served.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "bot.cli", "serve"], env=environ, stdout=log, stderr=log)
    try:
        _wait_until_ready(place, process)
        yield
        time.sleep(after_s)  # the moment of the kill is what is varied, nothing waits for it
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _wait_until_ready(place: Workplace, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, (place.home / "served.log").read_text()[-2000:]
        try:
            url = (place.home / "service-url").read_text()
            with urllib.request.urlopen(f"{url}/healthz", timeout=1):
                return
        except (FileNotFoundError, urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise AssertionError("the service did not start")
