"""The two errors that are not our bug. Anything else that rises is."""

from __future__ import annotations


class UserError(Exception):
    """Something its reader can mend: posted on the change, printed by the command line."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem} {fix}".strip())
        self.problem = problem
        self.fix = fix


class TransientError(Exception):
    """Something that may pass by itself: the row is looked at again after `retry_after_s` seconds."""

    def __init__(self, problem: str, *, retry_after_s: float = 5.0) -> None:
        super().__init__(problem)
        self.problem = problem
        self.retry_after_s = retry_after_s
