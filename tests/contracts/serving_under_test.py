"""What `test_serving.py` needs of each adapter: versions that it can serve, and a way to let its world catch up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.domain.serving import DesiredService, ObservedRevision, RevisionState, ServedRevision, Share
from bot.ports.serving import Serving
from tests.fakes.kubernetes.server import FakeKServeCluster
from tests.serving import kserve_kit
from tests.serving.gitops_kit import EnvironmentRepository
from tests.serving.kit import DEADLINE_S, Counter, Shop

ENVIRONMENT = "staging"


@dataclass
class Kit:
    """`again` gives a second adapter on the same world, as a restarted bot has. `catch_up` is what happens in it by
    itself, over and over: a cluster is brought to what a repository says. `keeps_warm`: what served before is kept."""

    serving: Serving
    again: Callable[[], Serving]
    version: Callable[[int], ServedRevision]
    catch_up: Callable[[], None] = lambda: None
    keeps_warm: bool = False
    has_canaries: bool = True
    models: int = 0
    model: str = field(default="", init=False)

    def next_model(self) -> None:
        """Each test has a place of its own."""
        self.models += 1
        self.model = f"model-{self.models}"

    def wish(self, *shares: tuple[int, int]) -> DesiredService:
        """Of versions by number, with percents."""
        return DesiredService(
            "github/acme/models",
            ENVIRONMENT,
            self.model,
            tuple(Share(self.version(number), percent) for number, percent in shares),
        )

    def apply(self, *shares: tuple[int, int]) -> None:
        self.serving.apply(self.wish(*shares))
        self.catch_up()

    def desired(self, serving: Serving | None = None) -> list[tuple[str, int]]:
        """Ids and percents."""
        found = (serving or self.serving).desired(ENVIRONMENT, self.model)
        return [(share.revision.id, share.percent) for share in found.shares] if found is not None else []

    def seen(self, number: int, serving: Serving | None = None) -> ObservedRevision:
        return (serving or self.serving).observe(ENVIRONMENT, self.model).revision(self.version(number).id)

    def wait(self, number: int, state: RevisionState, serving: Serving | None = None) -> ObservedRevision:
        deadline_s = time.monotonic() + DEADLINE_S
        while (found := self.seen(number, serving)).state is not state:
            assert time.monotonic() < deadline_s, found
            time.sleep(0.01)
            self.catch_up()
        return found

    def live(self, *numbers: int) -> None:
        """Each of them had all requests, one after the other."""
        for number in numbers:
            self.apply((number, 100))
            self.wait(number, RevisionState.READY)


def local_kit(home: Path, shop: Shop) -> tuple[Kit, Callable[[], None]]:
    """And what ends its servers."""
    counter = Counter(home, shop)
    counter.serving.start()

    def version(number: int) -> ServedRevision:
        return shop.revision("cancer", id=f"v{number}.0.0-x", version=f"v{number}.0.0")

    def again() -> Serving:
        counter.restart()
        kit.serving = counter.serving
        return counter.serving

    kit = Kit(counter.serving, again, version, keeps_warm=True)
    return kit, counter.close


def kserve_kit_of(mode: str, **cluster_changes: Any) -> tuple[Kit, Callable[[], None]]:
    cluster = FakeKServeCluster(mode=mode, **cluster_changes)
    kit = Kit(kserve_kit.kserve(cluster), lambda: kserve_kit.kserve(cluster), kserve_kit.version)
    return kit, cluster.close


def gitops_kit(home: Path) -> tuple[Kit, Callable[[], None]]:
    cluster = FakeKServeCluster(mode="knative")
    repository = EnvironmentRepository(home)
    kit = Kit(
        repository.serving(cluster),
        lambda: repository.serving(cluster),
        kserve_kit.version,
        catch_up=lambda: repository.sync(cluster),
    )
    return kit, cluster.close
