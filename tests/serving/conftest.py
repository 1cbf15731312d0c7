from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.kit import Counter, Shop, open_shop, uv_environment


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where environments are, of all workers together."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "serving-cache"


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Shop:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", uv_environment()["UV_CACHE_DIR"])
        return open_shop(tmp_path_factory.mktemp("shop"), cache)


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
