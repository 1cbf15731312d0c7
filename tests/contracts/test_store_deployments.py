"""Versions, assignments, deployments and approvals come back as they were stored, and are found again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.approval import Decision
from bot.domain.deployment import DeploymentKind, DeploymentPhase
from bot.domain.project import Canary, DeployEnvironment
from bot.domain.result import Metric
from bot.domain.run import Phase
from bot.domain.version import VersionNumber, VersionPhase
from bot.ports.store import Kind, Overtaken
from tests.contracts.store_examples import (
    NOW,
    REPOSITORY,
    a_deployment,
    a_lock,
    a_run,
    a_version,
    an_approval,
    an_assignment,
    later,
)


def add_deployments(store, *deployments) -> None:
    with store.transaction() as tx:
        for deployment in deployments:
            tx.add_deployment(deployment, now=NOW)


def ids(rows) -> list[str]:
    return [row.id for row in rows]


def test_a_version_with_something_in_every_field_comes_back_equal(store):
    full = a_version(
        "run-1",
        lock=a_lock(
            number=VersionNumber(2, 10, 3),
            data_address="/srv/git/datasets.git",
            data_sha="b" * 40,
            data_path="churn.csv",
            data_digest="md5:1234",
            params={"n": 2**60, "names": ["a", "λ"], "none": None},
            split={"test": 0.25, "seed": 7},
            environment={"python": "3.11"},
            metrics={"auc": Metric(0.1 + 0.2, std=None), "loss": Metric(1e-300, std=0.5)},
            gates=("auc >= 0.3",),
            waived=("loss <= 0: known noise (alice)",),
        ),
        is_major=True,
        commit_sha="c" * 40,
        problem="was moved",
        phase=VersionPhase.MISSING,
    )

    with store.transaction() as tx:
        added = [tx.add_version(full, now=NOW), tx.add_version(full, now=NOW)]

    assert added == [True, False]
    assert store.version(full.id) == full
    assert store.versions(repository=REPOSITORY.key, model="churn") == [full]
    assert store.versions(model="other") == []


def test_a_wanted_version_is_due_and_a_registered_one_rests(store):
    wanted = a_version("run-1")
    with store.transaction() as tx:
        tx.add_version(wanted, now=NOW)
        tx.add_version(a_version("run-2", phase=VersionPhase.REGISTERED), now=NOW)

    (claim,) = store.claim(Kind.VERSION, limit=10, lease_s=60, now=NOW)
    with store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
        tx.save_version(replace(wanted, phase=VersionPhase.REGISTERED, commit_sha="c" * 40))

    assert claim.id == wanted.id
    assert store.version(wanted.id) == replace(wanted, phase=VersionPhase.REGISTERED, commit_sha="c" * 40)
    assert store.counts()["version/registered"] == 2


def test_assignments_are_found_by_their_place_the_newest_first_and_can_be_taken_away(store):
    first, second = an_assignment(1), an_assignment(2, at=later(5), commit_sha="d" * 40)
    elsewhere = an_assignment(1, environment="staging", at=later(9), deployment_id="")
    with store.transaction() as tx:
        for assignment in (first, second, elsewhere, first):
            tx.save_assignment(assignment)

    in_production = store.assignments(repository=REPOSITORY.key, model="churn", environment="production")
    with store.transaction() as tx:
        tx.remove_assignment(second)

    assert in_production == [second, first]
    assert store.assignments() == [elsewhere, first]


def test_a_deployment_with_something_in_every_field_comes_back_equal(store):
    full = a_deployment(
        "dep-1",
        kind=DeploymentKind.ROLLBACK,
        number=None,
        phase=DeploymentPhase.DEPLOYING,
        rule=DeployEnvironment(2, ("@acme/ml", "bob"), only_merged=True, canary=Canary((10, 100), 60.0, None, 200.0)),
        is_major=True,
        run_id="run-1",
        version_id="version:x",
        version="v1.2.0",
        digest="e" * 64,
        thing="t" * 32,
        pipeline_run="run-9",
        replaces="dep-0",
        assignment="churn#production#4",
        words="λ",
        voided="a new head",
        memory_bytes=1 << 30,
        asked_sha="9" * 40,
        cpu=0.5,
        thing_at=later(1),
        approved_at=later(1),
        started_at=later(2),
        live_at=later(3),
        ended_at=later(4),
        cancel_requested_by="bob",
        forge_id="77",
        forge_shown="abc",
    )

    add_deployments(store, full)

    assert store.deployment("dep-1") == full
    assert store.deployment_of_run("run-9") == full
    assert store.deployment("dep-2") is None


def test_deployments_are_found_by_place_change_and_phase_the_newest_request_first(store):
    waiting = a_deployment("dep-1")
    live = a_deployment("dep-2", phase=DeploymentPhase.LIVE, requested_at=later(5), number=8)
    staging = a_deployment("dep-3", environment="staging", requested_at=later(9))
    add_deployments(store, waiting, live, staging)

    assert ids(store.deployments()) == ["dep-3", "dep-2", "dep-1"]
    assert ids(store.deployments(repository=REPOSITORY.key, environment="production")) == ["dep-2", "dep-1"]
    assert ids(store.deployments(active=True)) == ["dep-3", "dep-1"]
    assert ids(store.deployments(number=8)) == ["dep-2"]
    assert ids(store.deployments(phase=DeploymentPhase.LIVE)) == ["dep-2"]


def test_saving_a_deployment_writes_all_but_who_asked_to_cancel_it(store):
    add_deployments(store, a_deployment("dep-1"))
    with store.transaction() as tx:
        asked = [tx.request_deployment_cancel("dep-1", by=who, now=NOW) for who in ("bob", "eve")]
        tx.save_deployment(a_deployment("dep-1", phase=DeploymentPhase.LIVE, cancel_requested_by="mallory"))
        asked.append(tx.request_deployment_cancel("dep-1", by="eve", now=NOW))

    assert asked == [True, False, False]
    assert store.deployment("dep-1") == a_deployment("dep-1", phase=DeploymentPhase.LIVE, cancel_requested_by="bob")


def test_of_one_place_only_one_deployment_at_a_time_holds_the_turn(store):
    first, second = a_deployment("dep-1"), a_deployment("dep-2", requested_at=later(1))
    third = a_deployment("dep-3", requested_at=later(2), phase=DeploymentPhase.WAITING_FOR_TURN)
    add_deployments(store, first, second, third)
    with store.transaction() as tx:
        tx.save_deployment(replace(first, phase=DeploymentPhase.DEPLOYING))
        tx.save_deployment(replace(second, phase=DeploymentPhase.WAITING_FOR_TURN))

    with pytest.raises(Overtaken), store.transaction() as tx:
        tx.save_deployment(replace(second, phase=DeploymentPhase.REGISTERING))

    assert store.deployment("dep-2").phase is DeploymentPhase.WAITING_FOR_TURN
    assert [store.place_in_line(store.deployment(f"dep-{n}")) for n in (1, 2, 3)] == [0, 1, 2]


def test_an_approval_is_stored_once_for_its_source(store):
    approval = an_approval("comment:1:1")
    rejection = an_approval("comment:2:1", decision=Decision.REJECTED, reason="too slow", by="carol", at=later(1))
    with store.transaction() as tx:
        added = [tx.add_approval(one) for one in (approval, replace(approval, by="mallory"), rejection)]

    assert added == [True, False, True]
    assert store.approvals("dep-1") == [approval, rejection]
    assert store.approvals("dep-2") == []


def test_runs_of_the_pipeline_deploy_take_no_place_and_are_not_among_those_that_measure(store):
    with store.transaction() as tx:
        tx.add_run(a_run("run-1", pipeline="deploy", phase=Phase.STARTING), now=NOW)
        tx.add_run(a_run("run-2", pipeline="deploy"), now=NOW)
        tx.add_run(a_run("run-3", production_version="version:x"), now=NOW)

    assert ids(store.runs()) == ["run-3"]
    assert store.started_run_ids() == []
    assert store.oldest_queued(limit=9) == ["run-3"]
    assert store.run("run-3").production_version == "version:x"
