"""`place` has as many places on its engine as there are runs; `narrow` has one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.usecases.kit import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, places=1)
    yield made
    made.close()
