"""A real model server: kserve with a small scikit-learn model, as the bot serves it on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bot import logs
from tests.serving.kit import Counter, Shop, open_shop

MODEL = "cancer"
FEATURES = 30


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Gives its port. Its environment is built below `folder`: uv has its packages, or fetches them."""
    with starting(folder) as start:
        start()
        (backend,) = start.counter.backends(MODEL)
        yield int(backend.address.rpartition(":")[2])


@dataclass
class Start:
    """Starts one model server after the other; gives how long each took until it was ready, in seconds."""

    shop: Shop
    counter: Counter
    started: int = 0

    def __call__(self) -> float:
        self.started += 1
        revision = self.shop.revision(MODEL, id=f"v1.0.{self.started}")
        began = perf_counter()
        self.counter.apply(MODEL, (revision, 100))
        self.counter.wait(MODEL, revision)
        return perf_counter() - began


@contextmanager
def starting(folder: Path) -> Iterator[Start]:
    """Its environment is built first, and is not part of what is measured."""
    logs.configure(json_lines=True)
    for name in ("shop", "home"):
        (folder / name).mkdir(parents=True)
    shop = open_shop(folder / "shop", folder / "cache")
    counter = Counter(folder / "home", shop)
    counter.serving.start()
    try:
        yield Start(shop, counter)
    finally:
        counter.close()
