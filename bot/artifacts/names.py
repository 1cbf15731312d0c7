"""Ids of runs and paths below their prefixes, checked before they become part of an address."""

from __future__ import annotations

import re

_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def checked_run_id(run_id: str) -> str:
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(f"not a run's id: {run_id!r}")
    return run_id


def names_of(path: str) -> list[str]:
    """The names of a relative path. ValueError for a path that leaves the prefix, or that no file can have."""
    names = path.split("/")
    if any(name in ("", ".", "..") or "\0" in name or "\\" in name for name in names):
        raise ValueError(f"not a path below the run's prefix: {path!r}")
    return names
