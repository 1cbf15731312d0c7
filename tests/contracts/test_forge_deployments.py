"""What every forge does that shows deployments of its own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from bot.domain.errors import TransientError
from bot.ports.forge import DeploymentState, ForgeDeployment
from tests.contracts.forges_under_test import ForgeUnderTest

pytestmark = pytest.mark.parametrize("it", ["github", "github-token", "gitlab"], indirect=True)

PENDING, IN_PROGRESS, LIVE, FAILED, INACTIVE = DeploymentState
STAGING = "staging/churn"


def released(it: ForgeUnderTest, version: str, *, environment: str = STAGING) -> ForgeDeployment:
    """A deployment of a new commit, whose version is tagged."""
    sha = it.commit("main", version=version)
    it.push("main")
    it.tree.git("tag", version, sha)
    it.tree.push(f"refs/tags/{version}")
    return ForgeDeployment(
        key=f"dep-{environment}-{version}",
        environment=environment,
        sha=sha,
        ref=version,
        state=PENDING,
        description=f"{version} waits for an approval",
        address="",
        page=f"http://bot.example/deployments/dep-{version}",
        is_production=environment.startswith("production"),
    )


def put(it: ForgeUnderTest, deployment: ForgeDeployment, state: DeploymentState, known_id: str | None = None) -> str:
    address = "http://models.example/churn" if state is LIVE else ""
    told = replace(deployment, state=state, address=address, description=f"{deployment.ref}: {state}")
    return it.forge.put_deployment(it.repository.key, told, known_id=known_id)


def calls(it: ForgeUnderTest) -> int:
    made: Counter[str] = getattr(it.forge, "calls")  # noqa: B009 - not in the port
    return made["deployment"]


def test_a_deployment_is_shown_on_its_way_and_when_it_is_live_with_few_calls(it: ForgeUnderTest) -> None:
    deployment = released(it, "churn@v1.0.0")

    first = put(it, deployment, PENDING)
    second = put(it, deployment, IN_PROGRESS, known_id=first or None)
    on_its_way = it.shown_deployments(STAGING)
    third = put(it, deployment, LIVE, known_id=second)

    assert it.forge.capabilities.deployments
    assert (first or second) == second == third
    assert on_its_way == [(deployment.sha, IN_PROGRESS)]
    assert it.shown_deployments(STAGING) == [(deployment.sha, LIVE)]
    assert calls(it) <= 5


def test_what_is_shown_already_is_not_told_again(it: ForgeUnderTest) -> None:
    deployment = released(it, "churn@v1.0.0")
    known = put(it, deployment, LIVE)
    before = calls(it)

    again = put(it, deployment, LIVE, known_id=known)
    unchanged = calls(it)
    it.restart()
    after_a_restart = put(it, deployment, LIVE, known_id=known)

    assert again == after_a_restart == known
    assert unchanged == before
    assert it.shown_deployments(STAGING) == [(deployment.sha, LIVE)]
    assert calls(it) <= 2, "it looks, and has nothing to say"


def test_what_takes_the_place_of_another_makes_it_inactive(it: ForgeUnderTest) -> None:
    former, newer = released(it, "churn@v1.0.0"), released(it, "churn@v1.1.0")
    elsewhere = released(it, "churn@v0.9.0", environment="staging/prices")
    known = put(it, former, LIVE)
    put(it, elsewhere, LIVE)

    put(it, newer, LIVE)

    shown = [(former.sha, INACTIVE), (newer.sha, LIVE)]
    assert it.shown_deployments(STAGING) == shown
    assert put(it, former, INACTIVE, known_id=known) == known
    assert it.shown_deployments(STAGING) == shown
    assert it.shown_deployments("staging/prices") == [(elsewhere.sha, LIVE)]


def test_in_production_what_was_replaced_is_told_and_what_came_back_is_live(it: ForgeUnderTest) -> None:
    place = "production/churn"
    first, second = (released(it, f"churn@v1.{minor}.0", environment=place) for minor in (0, 1))
    back = replace(first, key="dep-rollback")
    ids = {}
    for deployment, replaced in ((first, None), (second, first), (back, second)):
        put(it, deployment, IN_PROGRESS)
        ids[deployment.key] = put(it, deployment, LIVE)
        if replaced is not None:
            put(it, replaced, INACTIVE, known_id=ids[replaced.key])

    assert it.shown_deployments(place) == [(first.sha, INACTIVE), (second.sha, INACTIVE), (first.sha, LIVE)]
    assert len(set(ids.values())) == 3


@pytest.mark.parametrize("end", [FAILED, INACTIVE])
def test_a_deployment_that_ends_before_it_is_live_is_shown_so(it: ForgeUnderTest, end: DeploymentState) -> None:
    deployment = released(it, "churn@v1.0.0")
    known = put(it, deployment, IN_PROGRESS)

    assert put(it, deployment, end, known_id=known) == known
    assert it.shown_deployments(STAGING) == [(deployment.sha, end)]


def test_a_deployment_that_was_given_up_before_it_was_shown_is_not_shown(it: ForgeUnderTest) -> None:
    deployment = released(it, "churn@v1.0.0")

    assert put(it, deployment, INACTIVE) == ""
    assert it.shown_deployments(STAGING) == []


def test_one_that_failed_and_is_tried_again_is_another(it: ForgeUnderTest) -> None:
    deployment = released(it, "churn@v1.0.0")
    failed = put(it, deployment, FAILED)

    again = put(it, replace(deployment, key="dep-again"), IN_PROGRESS)

    assert again != failed
    assert it.shown_deployments(STAGING) == [(deployment.sha, FAILED), (deployment.sha, IN_PROGRESS)]


@pytest.mark.parametrize("restarts", [False, True])
def test_invariant_12_a_deployment_whose_creation_was_not_answered_is_found_again(
    it: ForgeUnderTest, restarts: bool
) -> None:
    deployment = released(it, "churn@v1.0.0")
    it.lose_answer("deployment")
    with pytest.raises(TransientError):
        put(it, deployment, IN_PROGRESS)
    if restarts:
        it.restart()

    known = put(it, deployment, IN_PROGRESS)

    assert it.shown_deployments(STAGING) == [(deployment.sha, IN_PROGRESS)]
    assert put(it, deployment, LIVE, known_id=known) == known
    assert it.shown_deployments(STAGING) == [(deployment.sha, LIVE)]


def test_a_state_whose_telling_was_not_answered_is_no_error_when_it_is_told_again(it: ForgeUnderTest) -> None:
    deployment = released(it, "churn@v1.0.0")
    known = put(it, deployment, IN_PROGRESS)
    it.lose_answer("status")
    with pytest.raises(TransientError):
        put(it, deployment, LIVE, known_id=known)

    assert put(it, deployment, LIVE, known_id=known) == known
    assert it.shown_deployments(STAGING) == [(deployment.sha, LIVE)]


def test_a_deployment_that_moves_to_another_commit_is_shown_there_alone(it: ForgeUnderTest) -> None:
    before, after = released(it, "churn@v1.0.0"), released(it, "churn@v1.0.1")
    known = put(it, before, IN_PROGRESS)

    moved = put(it, replace(after, key=before.key), IN_PROGRESS, known_id=known)

    assert moved != known
    assert it.shown_deployments(STAGING) == [(before.sha, INACTIVE), (after.sha, IN_PROGRESS)]
