"""What is known to be new, because a webhook told of it a moment ago: then nothing of ours can be there yet, and a
look-up is saved.

Only what this process was told of since it started counts, and only for a shorter time than the lease of a row: so
nobody else can have posted there, ended, and left the row to us.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from bot.domain.clock import Clock

NEW_FOR = timedelta(seconds=60)
_MOST = 10_000


class Newness:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_at = clock()
        self._told: OrderedDict[str, datetime] = OrderedDict()

    def tell(self, thing: str, *, received_at: datetime) -> None:
        if received_at < self._started_at or thing in self._told:
            return
        self._told[thing] = received_at
        while len(self._told) > _MOST:
            self._told.popitem(last=False)

    def is_new(self, thing: str) -> bool:
        told_at = self._told.get(thing)
        return told_at is not None and self._clock() - told_at < NEW_FOR

    def spoil(self, thing: str) -> None:
        """Something may be there now. It stays known, so that telling of it again does not make it new."""
        if thing in self._told:
            self._told[thing] = datetime.min.replace(tzinfo=self._started_at.tzinfo)


def comments_of(full_name: str, number: int) -> str:
    return f"{full_name}#{number}"


def checks_of(full_name: str, sha: str) -> str:
    return f"{full_name}@{sha}"
