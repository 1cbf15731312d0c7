"""One workplace a test, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import logs
from tests.web.kit import Workplace, open_workplace
from tests.web.seed import seed_day


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    logs.configure(json_lines=True)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    with open_workplace(tmp_path) as place:
        yield place


@pytest.fixture
def day(place: Workplace) -> Workplace:
    """With a day's changes and runs."""
    seed_day(place)
    return place


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
