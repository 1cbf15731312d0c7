"""How far a run's steps are, from the `steps/*.json` that they write below the run's prefix.

Those files lie where the model's own code can write too, so they are read as text from outside.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bot.domain.pipeline import DEPLOY, EVALUATE, TRAIN
from bot.domain.run import EngineState, StepProgress

STEPS: Mapping[str, tuple[str, ...]] = {
    TRAIN: ("fetch", "train", "evaluate", "report"),
    EVALUATE: ("fetch", "evaluate", "report"),
    DEPLOY: ("verify", "apply", "smoke-test", "promote", "report"),
}
STATES = frozenset({"pending", "running", "succeeded", "failed", "skipped", "canceled"})
FILE_LIMIT_BYTES = 256_000  # a step's file may hold the tail of its log

Signature = tuple[tuple[str, int, int], ...]


def steps_folder(arguments: Mapping[str, Any]) -> Path | None:
    """Where the steps write, when that is on this machine."""
    address = urlsplit(str(arguments.get("run_prefix", "")))
    if address.scheme != "file" or address.netloc not in ("", "localhost"):
        return None
    return Path(unquote(address.path)) / "steps"


def signature(folder: Path | None, pipeline: str) -> Signature:
    """Changes whenever a step's file does."""
    if folder is None:
        return ()
    seen = []
    for name in STEPS.get(pipeline, ()):
        with contextlib.suppress(OSError):
            status = (folder / f"{name}.json").lstat()
            seen.append((name, status.st_mtime_ns, status.st_size))
    return tuple(seen)


def read_steps(folder: Path | None, pipeline: str) -> tuple[StepProgress, ...]:
    """In the pipeline's order; a step without a readable file is pending."""
    return tuple(_read(folder, name) for name in STEPS.get(pipeline, ()))


def ended(steps: tuple[StepProgress, ...], state: EngineState) -> tuple[StepProgress, ...]:
    """What they are once the run has ended: none goes on, none will begin."""
    cut_off = "canceled" if state is EngineState.CANCELED else "failed"
    ends = {"running": cut_off, "pending": "skipped"}
    return tuple(
        StepProgress(step.name, ends.get(step.state, step.state), step.started_at, step.ended_at) for step in steps
    )


def _read(folder: Path | None, name: str) -> StepProgress:
    fields = None if folder is None else _fields(folder / f"{name}.json")
    if fields is None:
        return StepProgress(name, "pending")
    state = fields.get("state")
    return StepProgress(
        name=name,
        state=state if isinstance(state, str) and state in STATES else "pending",
        started_at=_time(fields.get("started_at")),
        ended_at=_time(fields.get("ended_at")),
    )


def _fields(path: Path) -> dict[str, Any] | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        try:
            fields = json.loads(file.read(FILE_LIMIT_BYTES))
        except (ValueError, RecursionError):
            return None
    return fields if isinstance(fields, dict) else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
