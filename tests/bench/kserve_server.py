"""A real model server: kserve with a small scikit-learn model, as the bot serves it on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot import logs
from tests.serving.kit import Counter, open_shop

MODEL = "cancer"
FEATURES = 30


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Gives its port. Its environment is built below `folder`: uv has its packages, or fetches them."""
    logs.configure(json_lines=True)
    for name in ("shop", "home"):
        (folder / name).mkdir(parents=True)
    shop = open_shop(folder / "shop", folder / "cache")
    counter = Counter(folder / "home", shop)
    counter.serving.start()
    try:
        revision = shop.revision(MODEL)
        counter.apply(MODEL, (revision, 100))
        counter.wait(MODEL, revision)
        (backend,) = counter.backends(MODEL)
        yield int(backend.address.rpartition(":")[2])
    finally:
        counter.close()
