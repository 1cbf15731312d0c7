"""Bad days: what the fake does in place of, or after, its work."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """For requests whose `METHOD /path` below the API matches. `is_done` first does what was asked, as when a POST
    succeeds and its answer is lost. `drops` closes the connection without an answer."""

    matching: str
    status: int = 502
    body: bytes = b"<html>Bad gateway</html>"
    headers: dict[str, str] = field(default_factory=dict)
    is_done: bool = False
    drops: bool = False
    delay_s: float = 0.0
    times: int = 1


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[Fault] = []

    def plan(self, fault: Fault) -> None:
        with self._lock:
            self._planned.append(fault)

    def next_for(self, request: str) -> Fault | None:
        with self._lock:
            for fault in self._planned:
                if fault.times > 0 and re.search(fault.matching, request):
                    fault.times -= 1
                    return fault
        return None
