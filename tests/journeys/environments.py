"""One cache of Python environments for all homes of the journeys: each would build the same ones anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


class Shared:
    folder: Path | None = None  # of all test processes together, while there are any


def open_shared(factory: pytest.TempPathFactory) -> None:
    base = factory.getbasetemp()
    Shared.folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "journeys-environments"
    Shared.folder.mkdir(exist_ok=True)


def share_environments(home: Path) -> None:
    """A service in this home finds those that are there, and adds its own."""
    link = home / "cache" / "environments"
    if Shared.folder is not None and not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Shared.folder)
