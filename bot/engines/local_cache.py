"""What runs on this machine share to be fast: data and environments. Both are made again when they are needed.

Their layout is that of `pipelines/steps/data_cache.py` and `environment.py`: a folder each, with a mark that every use
touches, and a lock beside it that is held while it is built.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil

MARK = ".last-used"


def clear_data(cache: Path, before: datetime, dry: bool) -> tuple[int, int]:
    """Entries that no run has used since; gives how many, and how many bytes they took."""
    return _clear(cache / "data", before, dry, in_use=frozenset())


def clear_environments(cache: Path, before: datetime, dry: bool) -> tuple[int, int]:
    """A model server uses its environment for months without touching the mark, so processes are looked at."""
    folder = cache / "environments"
    return _clear(folder, before, dry, in_use=_used_environments(folder))


def folder_bytes(folder: Path) -> int:
    """What removing it frees: files that are linked elsewhere, too, take no space of their own."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = Path(parent, name).lstat()
            except FileNotFoundError:
                continue
            total += status.st_size if status.st_nlink == 1 else 0
    return total


def _clear(folder: Path, before: datetime, dry: bool, *, in_use: frozenset[str]) -> tuple[int, int]:
    count = size = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name in in_use or not _is_entry(path) or _last_used(path) >= before:
            continue
        with _lock_of(path) as mine:
            if not mine or _last_used(path) >= before:
                continue
            count, size = count + 1, size + folder_bytes(path)
            if not dry:
                _remove(path)
    return count, size


def _is_entry(path: Path) -> bool:
    """Not the index, nor what is being built."""
    whole = (path / ".complete", path / "entry.json")
    return path.is_dir() and not path.is_symlink() and any(mark.exists() for mark in whole)


def _last_used(path: Path) -> datetime:
    mark = path / MARK
    seconds = (mark if mark.exists() else path).stat().st_mtime
    return datetime.fromtimestamp(seconds, UTC)


def _remove(path: Path) -> None:
    """Under another name first, so that nobody takes what is half gone for whole."""
    doomed = path.with_name(f"{path.name}.removed")
    shutil.rmtree(doomed, ignore_errors=True)
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


@contextmanager
def _lock_of(path: Path) -> Iterator[bool]:
    """False while somebody builds it. The lock's file stays: who waits for it must not wait for another one."""
    with path.with_name(f"{path.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _used_environments(folder: Path) -> frozenset[str]:
    """Names of those whose Python runs, as steps and model servers have it in their variables."""
    start = b"VIRTUAL_ENV=" + os.fsencode(folder.resolve()) + b"/"
    names = set()
    for process in psutil.process_iter():
        try:
            variables = (Path("/proc") / str(process.pid) / "environ").read_bytes().split(b"\0")
        except OSError:  # gone, or somebody else's
            continue
        names |= {os.fsdecode(one[len(start) :]).partition("/")[0] for one in variables if one.startswith(start)}
    return frozenset(names)
