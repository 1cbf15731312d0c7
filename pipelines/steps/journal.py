"""One step from its beginning to its end: its log, and its state, written when it begins and when it ends."""

from __future__ import annotations

import json
import signal
import sys
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from pipelines.steps import workplace
from pipelines.steps.failure import Canceled, FailureKind, StepFailed
from pipelines.steps.masking import Masker, masked
from pipelines.steps.prefix import Prefix, open_prefix
from pipelines.steps.step_log import StepLog

_WORDS_OF_A_FAILURE = ("message", "fix")
_NAMED_BY_THE_MODEL = ("metrics", "plots")

CANCELED_EXIT_CODE = 128 + signal.SIGTERM


@dataclass
class Step:
    """`outputs` is what the report needs of this step: metrics, plots, the model's digest, the data's summary."""

    name: str
    prefix: Prefix
    log: StepLog
    folder: Path
    started_at: datetime
    mask: Masker
    exit_code: int | None = None
    peak_memory_bytes: int | None = None
    cpu_s: float | None = None
    skipped: bool = False
    outputs: dict[str, Any] = field(default_factory=dict)

    def record(self, state: str, *, ended_at: datetime | None = None, failure: dict[str, Any] | None = None) -> None:
        """`steps/<step>.json` says how far it is; at the end `records/<step>.json` has all that the report needs."""
        progress = {
            "name": self.name,
            "state": state,
            "started_at": self.started_at.isoformat(),
            "ended_at": ended_at and ended_at.isoformat(),
            "exit_code": self.exit_code,
            "peak_memory_bytes": self.peak_memory_bytes,
            "cpu_s": self.cpu_s,
        }
        if ended_at:
            rest = {"log_tail": self.log.tail(), "failure": self._masked(failure, _WORDS_OF_A_FAILURE)}
            rest["outputs"] = self._masked(self.outputs, _NAMED_BY_THE_MODEL)
            self.prefix.write(f"records/{self.name}.json", _as_json({**progress, **rest}))
        self.prefix.write(f"steps/{self.name}.json", _as_json(progress))
        workplace.show_progress(self.name, _as_json(progress), self.prefix.address)

    def _masked(self, document: dict[str, Any] | None, names: Collection[str]) -> dict[str, Any] | None:
        """What the model's code had a say in; digests and names of ours stay as they are."""
        if document is None:
            return None
        return {name: masked(value, self.mask) if name in names else value for name, value in document.items()}


def _as_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


@contextmanager
def step(name: str, run_prefix: str) -> Iterator[Step]:
    """Ends the process with a code other than 0 when the step fails, after writing why."""
    with _cancelable():
        yield from _run(name, run_prefix)


@contextmanager
def _cancelable() -> Iterator[None]:
    before = {number: signal.signal(number, _cancel) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(name: str, run_prefix: str) -> Iterator[Step]:
    prefix = open_prefix(run_prefix)
    mask = Masker(workplace.all_secret_values())
    log = StepLog(prefix.open_log(f"logs/{name}.log"), mask)
    running = Step(name, prefix, log, workplace.scratch(name), started_at=datetime.now(UTC), mask=mask)
    running.record("running")
    try:
        yield running
    except StepFailed as failed:
        _end_failed(running, failed)
    except Canceled:
        _close(running, "canceled", StepFailed(FailureKind.CANCELED, "The run was canceled."))
        sys.exit(CANCELED_EXIT_CODE)
    except Exception as error:  # noqa: BLE001 - the step's edge: the author is told that it is not their fault
        traceback.print_exc()
        _end_failed(running, _our_fault(name, error))
    else:
        _close(running, "skipped" if running.skipped else "succeeded", None)


def _cancel(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Canceled


def _end_failed(running: Step, failed: StepFailed) -> NoReturn:
    print(f"{running.name} failed: {failed.message}", file=sys.stderr)  # noqa: T201 - for the engine's own log
    _close(running, "failed", failed)
    sys.exit(1)


def _our_fault(step_name: str, error: Exception) -> StepFailed:
    if isinstance(error, OSError) and error.errno is not None:
        place = f" ({error.filename})" if error.filename else ""
        message = f"The step `{step_name}` could not go on: {error.strerror}{place}."
        return StepFailed(
            FailureKind.INTERNAL, message, fix="This is not your code's fault; tell whoever runs the bot."
        )
    return StepFailed(
        FailureKind.INTERNAL,
        f"The step `{step_name}` broke in the bot's own code: {type(error).__name__}: {error}",
        fix="This is not your code's fault; tell whoever runs the bot.",
    )


def _close(running: Step, state: str, failed: StepFailed | None) -> None:
    if failed:
        running.log.end_of_output()
        if failed.kind not in (FailureKind.EXCEPTION, FailureKind.CANCELED):
            running.log.say(failed.message)
    running.log.close()
    failure = failed.as_json(running.name) if failed else None
    running.record(state, ended_at=datetime.now(UTC), failure=failure)
