"""A check: what a forge shows beside a commit. One per model and pipeline, named `mlops/<model>`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


class Conclusion(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELED = "canceled"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, slots=True)
class Annotation:
    """Words beside a line of a file. `level` is notice, warning or failure."""

    path: str
    line: int
    message: str
    level: str = "failure"


@dataclass(frozen=True, slots=True)
class CheckAction:
    """A button on a check, where the forge has them. `label` has at most 20 characters, `description` 40."""

    id: str
    label: str
    description: str


@dataclass(frozen=True, slots=True)
class Check:
    """`conclusion` is None until the check is completed. `details_url` is the bot's own page."""

    name: str
    sha: str
    status: CheckStatus
    conclusion: Conclusion | None
    title: str
    summary: str
    details_url: str
    annotations: tuple[Annotation, ...] = ()
    actions: tuple[CheckAction, ...] = ()
