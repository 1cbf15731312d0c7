"""Why a step failed, in words for the author of the change."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class FailureKind(StrEnum):
    """The same values as in the bot's `domain/result.py`; a test compares them."""

    EXCEPTION = "exception"
    EXIT = "exit"
    SIGNAL = "signal"
    MEMORY = "memory"
    TIMEOUT = "timeout"
    NO_METRICS = "no_metrics"
    BAD_METRICS = "bad_metrics"
    NO_MODEL = "no_model"
    CODE = "code"
    DATA = "data"
    REQUIREMENTS = "requirements"
    COMMAND = "command"
    DIGEST = "digest"
    SERVING = "serving"
    SMOKE_TEST = "smoke_test"
    CANARY = "canary"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CANCELED = "canceled"
    LOST = "lost"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Frame:
    """A place in the repository's own files; `file` is relative to the repository's root."""

    file: str
    line: int
    function: str = ""


class StepFailed(Exception):
    """Ends a step. `message` says what happened, `fix` what to do about it."""

    def __init__(self, kind: FailureKind, message: str, *, fix: str = "", frames: tuple[Frame, ...] = ()) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.fix = fix
        self.frames = frames

    def as_json(self, step: str) -> dict[str, Any]:
        return {
            "step": step,
            "kind": self.kind.value,
            "message": self.message,
            "fix": self.fix,
            "frames": [asdict(frame) for frame in self.frames],
        }


class Canceled(BaseException):
    """The step was asked to end (SIGTERM). Not an Exception, so that nothing in between takes it for a fault."""
