"""A service that a test kills: starts an engine, submits what it is given as JSON, and stays.

`python doomed_service.py HOME PACKAGES SUBMISSION`; says "warm" once its runner has imported kfp, then submits when a
line arrives, then says "submitted".
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from bot.ports.engine import Submission
from tests.engines.kit import end_of, local_engine, small_run

engine = local_engine(Path(sys.argv[1]), Path(sys.argv[2]))
warm_up = small_run(Path(sys.argv[1]))
engine.submit(warm_up.submission)
end_of(engine, warm_up.id)
print("warm", engine.runner_pid, flush=True)
sys.stdin.readline()
engine.submit(Submission(**json.loads(sys.argv[3])))
print("submitted", flush=True)
threading.Event().wait()
