"""What goes wrong between GitHub and us."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """For requests such as `POST /repos/acme/models/check-runs` that match. `is_done`: it is carried out all the same,
    and only its answer is lost."""

    matching: str
    status: int = 502
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_done: bool = False
    drops: bool = False
    delay_s: float = 0.0
    times: int = 1


class Faults:
    def __init__(self) -> None:
        self._planned: list[Fault] = []
        self._lock = threading.Lock()

    def plan(self, fault: Fault) -> None:
        self._planned.append(fault)

    def next_for(self, request: str) -> Fault | None:
        with self._lock:
            for fault in self._planned:
                if fault.times and re.fullmatch(fault.matching, request):
                    fault.times -= 1
                    return fault
        return None
