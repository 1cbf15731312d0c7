"""`python -m tests.serving.doomed_bot <home> <cache> <manifests>`: a bot that is killed once its model is ready."""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from bot.domain.serving import RevisionState
from bot.serving.local import LocalServing
from bot.serving.manifest import desired_service
from tests.serving.kit import until, uv_environment


def main() -> None:
    home, cache, items = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    serving = LocalServing(home, clock=lambda: datetime.now(UTC), cache=cache, environment=uv_environment())
    serving.start()
    desired = desired_service(items)
    serving.apply(desired)
    place = (desired.environment, desired.model)
    until(lambda: serving.observe(*place).revisions[0].state is not RevisionState.STARTING)
    os.kill(os.getpid(), signal.SIGKILL)


main()
