"""What is known to be new, because a webhook told of it a moment ago: then no note of ours can be about it yet, and a
look for one is saved.

Only what came to be since this process started counts, and only for a shorter time than the lease of a row: so nobody
else can have written there, ended, and left the row to us. A webhook that comes late makes nothing new.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from bot.domain.clock import Clock

V = TypeVar("V")

NEW_FOR = timedelta(seconds=60)
REMEMBERED = 10_000


class Newness:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_at = clock()
        self._lock = threading.Lock()
        self._new_since: OrderedDict[str, datetime] = OrderedDict()
        self._taken: OrderedDict[str, None] = OrderedDict()

    def tell(self, thing: str, *, made_at: datetime, received_at: datetime) -> None:
        new_since = min(made_at, received_at)
        if new_since >= self._started_at:
            with self._lock:
                _keep(self._new_since, thing, new_since)

    def take(self, place: str, *, about: Iterable[str]) -> bool:
        """Whether nothing of ours can be in a place that is about these things. The first to ask may put something
        there, so that whoever asks again has to look."""
        with self._lock:
            is_first = place not in self._taken
            _keep(self._taken, place, None)
            return is_first and any(self._is_new(thing) for thing in about)

    def _is_new(self, thing: str) -> bool:
        new_since = self._new_since.get(thing)
        return new_since is not None and self._clock() - new_since < NEW_FOR


def merge_request_in(path: str, number: int) -> str:
    return f"{path}!{number}"


def note_in(path: str, note_id: int) -> str:
    return f"{path}#{note_id}"


def _keep(remembered: OrderedDict[str, V], name: str, value: V) -> None:
    remembered[name] = value
    remembered.move_to_end(name)
    if len(remembered) > REMEMBERED:
        remembered.popitem(last=False)
