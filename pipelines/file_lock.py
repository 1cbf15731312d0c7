"""A lock on a folder that tells whether somebody lives there: free again when its holder's process ends, however."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def try_lock(folder: Path, kind: int = fcntl.LOCK_EX) -> Iterator[bool]:
    """Gives whether it worked; free again when the block ends, or the process. A folder that is not there is free."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def is_locked(folder: Path) -> bool:
    with try_lock(folder, fcntl.LOCK_SH) as free:  # shared, so that two who look do not see one another
        return not free
