"""A workshop on the fake GitHub: as an App, and with a token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.github.workshop import Workshop


@dataclass
class Clock:
    """The real time, and what is added to it."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def pass_s(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(tmp_path: Path, clock: Clock) -> Iterator[Workshop]:
    made = Workshop(tmp_path, clock=clock)
    made.start()
    made.told()
    yield made
    made.close()


@pytest.fixture
def token_shop(tmp_path: Path, clock: Clock) -> Iterator[Workshop]:
    made = Workshop(tmp_path, is_app=False, clock=clock)
    made.start()
    made.told()
    yield made
    made.close()
