"""Deployments as the bot carries them out, on KServe in both of its modes and by commits: what its use cases ask of
serving is what a cluster can do, and comes to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.result import Failure, FailureKind
from bot.domain.serving import DesiredService, Share
from bot.ports.serving import Serving
from bot.usecases.deployments.serving import give_share, heal, served, start_beside
from tests.fakes.kubernetes.server import FakeKServeCluster
from tests.serving.gitops_kit import EnvironmentRepository
from tests.serving.kserve_kit import kserve
from tests.usecases.kit import Place
from tests.usecases.test_deployments import Deployments


class InBucket:
    """Serving of models that lie in a folder here, as if it were in a bucket; what it was told is kept in `applied`."""

    def __init__(self, serving: Serving, after: Callable[[], None]) -> None:
        self._serving = serving
        self._after = after
        self.applied: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._serving, name)

    def apply(self, desired: DesiredService) -> None:
        shares = tuple(
            Share(replace(one.revision, storage=one.revision.storage.replace("file:///", "s3://bucket/")), one.percent)
            for one in desired.shares
        )
        self._serving.apply(replace(desired, shares=shares))
        self.applied.append(" ".join(f"{one.revision.version}:{one.percent}" for one in shares))
        self._after()


@dataclass
class OnCluster:
    cluster: FakeKServeCluster
    serving: InBucket
    deployed: Deployments

    def split(self) -> dict[str, int]:
        desired = self.serving._serving.desired("staging", "churn")
        return {share.revision.version: share.percent for share in desired.shares} if desired is not None else {}

    def ask_for_another(self) -> Deployment:
        """A better model is trained and asked for; its pipeline is on its way."""
        sha = self.deployed.place.commit("better", churn__train_py="print('even better')")
        self.deployed.place.look()
        self.deployed.end(self.deployed.place.run(sha), digest="e" * 64)
        self.deployed.say("/deploy staging")
        return self.deployed.newest()


@pytest.fixture(params=["knative", "standard", "gitops"])
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OnCluster]:
    mode = "standard" if request.param == "standard" else "knative"
    cluster = FakeKServeCluster(mode=mode)
    serving: Serving = kserve(cluster)
    after: Callable[[], None] = lambda: None  # noqa: E731 - one of two
    if request.param == "gitops":
        (tmp_path / "environments").mkdir()
        repository = EnvironmentRepository(tmp_path / "environments")
        serving = repository.serving(cluster)
        after = lambda: repository.sync(cluster)  # noqa: E731
    (tmp_path / "bot").mkdir()
    place = Place(tmp_path / "bot")
    found = OnCluster(cluster, InBucket(serving, after), Deployments(place))
    place.world = replace(place.world, serving=cast("Serving", found.serving))
    yield found
    place.close()
    cluster.close()


def test_a_version_goes_live_by_way_of_a_canary_and_nothing_restarts(there: OnCluster) -> None:
    there.deployed.deploy()
    deployment = there.ask_for_another()
    world, run_id = there.deployed.place.world, deployment.pipeline_run

    splits = []
    for percent in (None, 10, 50, 100):
        if percent is None:
            start_beside(run_id, world)
        else:
            give_share(run_id, percent, world)
        now = served(run_id, world)
        splits.append((there.split(), now.observed.state.value, now.percent))
    there.deployed.end_pipeline(deployment)
    heal(world)

    assert splits == [
        ({"v1.1.0": 100, "v1.2.0": 0}, "ready", 0),
        ({"v1.1.0": 90, "v1.2.0": 10}, "ready", 10),
        ({"v1.1.0": 50, "v1.2.0": 50}, "ready", 50),
        ({"v1.2.0": 100}, "ready", 100),
    ]
    assert there.deployed.phase() is DeploymentPhase.LIVE
    assert there.cluster.controller.started == ["v1.1.0", "v1.2.0"]
    assert there.split() == {"v1.2.0": 100}


def test_a_step_that_asks_again_and_a_bot_that_heals_apply_nothing_anew(there: OnCluster) -> None:
    there.deployed.deploy()
    deployment = there.ask_for_another()
    world = there.deployed.place.world
    for _ in range(2):
        start_beside(deployment.pipeline_run, world)
    for _ in range(2):
        give_share(deployment.pipeline_run, 100, world)
    there.deployed.end_pipeline(deployment)
    before = list(there.serving.applied)

    for minutes in (0, 16):
        there.deployed.place.later(minutes * 60)
        heal(world)

    assert before[-2:] == ["v1.1.0:100 v1.2.0:0", "v1.1.0:0 v1.2.0:100"]
    assert there.serving.applied == before


def test_a_canary_that_fails_leaves_the_former_version_as_it_was(there: OnCluster) -> None:
    there.deployed.deploy()
    deployment = there.ask_for_another()
    world = there.deployed.place.world
    start_beside(deployment.pipeline_run, world)
    give_share(deployment.pipeline_run, 10, world)

    there.deployed.end_pipeline(deployment, Failure("promote", FailureKind.CANARY, "Too many errors.", "Look."))
    heal(world)

    assert there.deployed.phase() is DeploymentPhase.FAILED
    assert there.split() == {"v1.1.0": 100}
    assert there.cluster.controller.started.count("v1.2.0") == 1
    seen = there.serving._serving.observe("staging", "churn").revisions
    assert [(one.state.value, one.percent) for one in seen] == [("ready", 100)]


def test_a_rollback_starts_the_former_version_beside_and_gives_it_all(there: OnCluster) -> None:
    there.deployed.deploy()
    deployment = there.ask_for_another()
    there.deployed.carry_out(deployment)

    there.deployed.say("/rollback staging")
    there.deployed.carry_out(there.deployed.newest())

    assert there.deployed.newest().version == "v1.1.0"
    assert there.split() == {"v1.1.0": 100}
    assert there.cluster.controller.started == ["v1.1.0", "v1.2.0", "v1.1.0"]


def test_what_somebody_deleted_in_the_cluster_is_there_again(there: OnCluster) -> None:
    there.deployed.deploy()
    there.cluster.deleted(there.cluster.the_one()["metadata"]["name"])
    in_git = there.split()

    heal(there.deployed.place.world)
    there.serving._after()

    assert there.split() == {"v1.1.0": 100}
    assert in_git in ({}, {"v1.1.0": 100})  # where commits say it, whoever brings them there makes it anew
    assert len(there.cluster.items) == 1
