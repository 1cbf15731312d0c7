"""Gates: requirements on metrics, parsed and never evaluated as code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Incumbent(StrEnum):
    """What a gate may compare with: the newest result on the target branch, or the version in production."""

    BASE = "base"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Gate:
    """`metric op number`, or `metric op incumbent [arithmetic number]`; `text` is the gate as it was written.

    `op` is one of `>=`, `>`, `<=`, `<`, `==`; `arithmetic` one of `+`, `-`, `*`, `/` or "" for none.
    """

    text: str
    metric: str
    op: str
    number: float
    incumbent: Incumbent | None = None
    arithmetic: str = ""
