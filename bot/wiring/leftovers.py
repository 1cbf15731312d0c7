"""What lies about on this machine and is made again when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from bot.engines.local import LocalEngine
from bot.engines.local_cache import clear_data, clear_environments, folder_bytes
from bot.ports.engine import Engine
from bot.ports.serving import Serving
from bot.serving.local import LocalServing

Clear = Callable[[datetime, bool], tuple[int, int]]  # since when it was not used, whether only to look: how many, bytes


class Removable(Protocol):
    @property
    def path(self) -> Path: ...

    def remove(self) -> bool: ...


def leftovers(cache: Path, engine: Engine, serving: Serving) -> Mapping[str, Clear]:
    """On a cluster, only what its time on this machine left in the cache."""
    found: dict[str, Clear] = {}
    if isinstance(engine, LocalEngine):
        found["folders of runs that ended, on this machine"] = partial(_clear, engine.ended_before)
    if isinstance(serving, LocalServing):
        found["folders of model servers that ended"] = partial(_clear, serving.ended_before)
    found["data in the cache"] = partial(clear_data, cache)
    found["Python environments in the cache"] = partial(clear_environments, cache)
    return found


def _clear(ended_before: Callable[[datetime], Iterable[Removable]], before: datetime, dry: bool) -> tuple[int, int]:
    count = size = 0
    for folder in ended_before(before):
        size_bytes = folder_bytes(folder.path)
        if dry or folder.remove():
            count, size = count + 1, size + size_bytes
    return count, size
