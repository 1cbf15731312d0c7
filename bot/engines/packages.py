"""Compiled pipelines, as engines are given them: a folder of packages, or a function that leads to one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Packages = Path | Callable[[str], Path]


def package_of(pipeline: str, packages: Packages) -> Path:
    """Raises ValueError for a pipeline that there is none of."""
    if callable(packages):
        return packages(pipeline)
    path = packages / f"{pipeline}.yaml"
    if not pipeline.isidentifier() or not path.is_file():
        raise ValueError(f"there is no compiled pipeline {pipeline!r}")
    return path
