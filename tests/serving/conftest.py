from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.kit import Counter, Shop, open_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base  # all workers use one environment
    return open_shop(tmp_path_factory.mktemp("shop"), shared / "serving-cache")


@pytest.fixture(scope="session")
def counter(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    """One for all tests that do it no harm. In staging, `cancer` serves."""
    shared = Counter(tmp_path_factory.mktemp("home"), shop)
    shared.serving.start()
    shared.apply("cancer", (shop.revision("cancer"), 100))
    shared.wait("cancer", shop.revision("cancer"))
    yield shared
    shared.close()


@pytest.fixture
def own_counter(shop: Shop, tmp_path: Path) -> Iterator[Counter]:
    """Of this test alone, and not started."""
    own = Counter(tmp_path, shop)
    yield own
    own.close()
