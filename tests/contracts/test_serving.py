"""What serving promises, wherever it is (`bot/ports/serving.py`). A new adapter adds a kit to KITS and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bot.domain.serving import RevisionState
from tests.contracts.serving_under_test import ENVIRONMENT, Kit, gitops_kit, kserve_kit_of, local_kit
from tests.serving.conftest import cache, shop  # noqa: F401 - fixtures
from tests.serving.kit import Shop

READY = RevisionState.READY


@pytest.fixture(scope="module")
def local(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    shop_: Shop = request.getfixturevalue("shop")
    kit, close = local_kit(tmp_path_factory.mktemp("home"), shop_)
    yield kit
    close()


@pytest.fixture(scope="module")
def knative() -> Iterator[Kit]:
    kit, close = kserve_kit_of("knative")
    yield kit
    close()


@pytest.fixture(scope="module")
def standard() -> Iterator[Kit]:
    kit, close = kserve_kit_of("standard")
    yield kit
    close()


@pytest.fixture(scope="module")
def gitops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    kit, close = gitops_kit(tmp_path_factory.mktemp("gitops"))
    yield kit
    close()


KITS = ["local", "knative", "standard", "gitops"]


@pytest.fixture(params=KITS)
def kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    kit: Kit = request.getfixturevalue(request.param)
    kit.next_model()
    yield kit
    kit.serving.remove(ENVIRONMENT, kit.model)
    kit.catch_up()


def test_of_what_was_never_applied_nothing_is_known(kit: Kit) -> None:
    assert kit.desired() == []
    assert kit.serving.observe(ENVIRONMENT, kit.model).revisions == ()
    assert kit.seen(1).state is RevisionState.GONE


def test_the_first_version_becomes_ready_and_stays_so_when_it_is_applied_again(kit: Kit) -> None:
    kit.apply((1, 0))
    before = kit.wait(1, READY)

    for _ in range(2):
        kit.apply((1, 100))

    after = kit.seen(1)
    assert before.address.startswith("http")
    assert (after.state, after.percent, after.address) == (READY, 100, before.address)
    assert after.since == before.since
    assert kit.desired() == [(kit.version(1).id, 100)]
    traffic = kit.serving.traffic(ENVIRONMENT, kit.model, kit.version(1).id)
    assert (traffic.requests, traffic.errors, traffic.is_measured) == (0, 0, kit.keeps_warm)


def test_a_candidate_gets_ready_beside_what_serves_and_gets_no_requests(kit: Kit) -> None:
    kit.live(1)

    kit.apply((1, 100), (2, 0))
    candidate, live = kit.wait(2, READY), kit.seen(1)

    assert kit.desired() == [(kit.version(1).id, 100), (kit.version(2).id, 0)]
    assert (live.state, live.percent, candidate.percent) == (READY, 100, 0)
    assert candidate.address.startswith("http")
    assert candidate.address != live.address


def test_what_is_desired_is_known_to_a_bot_that_starts_anew(kit: Kit) -> None:
    kit.live(1)
    kit.apply((1, 100), (2, 0))
    kit.wait(2, READY)
    kit.apply((1, 75), (2, 25))
    wanted = kit.wish((1, 75), (2, 25))

    again = kit.again()

    assert again.desired(ENVIRONMENT, kit.model) == wanted
    assert wanted in again.services()
    assert (kit.wait(1, READY, again).percent, kit.wait(2, READY, again).percent) == (75, 25)


def test_a_version_that_takes_over_has_all_requests_and_the_former_one_may_have_them_again(kit: Kit) -> None:
    kit.live(1)
    kit.apply((1, 100), (2, 0))
    kit.wait(2, READY)
    kit.apply((1, 50), (2, 50))
    kit.apply((1, 0), (2, 100))

    warm = [(kit.version(1).id, 0)] if kit.keeps_warm else []
    assert kit.desired() == [*warm, (kit.version(2).id, 100)]
    assert (kit.seen(2).state, kit.seen(2).percent) == (READY, 100)
    assert kit.seen(1).percent == 0

    kit.apply(*([(1, 0), (2, 100)] if kit.keeps_warm else [(2, 100), (1, 0)]))
    kit.wait(1, READY)
    kit.apply((2, 0), (1, 100))

    assert kit.desired()[-1] == (kit.version(1).id, 100)
    assert (kit.seen(1).state, kit.seen(1).percent) == (READY, 100)


def test_a_candidate_that_is_given_up_ends_and_makes_room_for_the_next_one(kit: Kit) -> None:
    kit.live(1)
    kit.apply((1, 100), (2, 0))
    kit.wait(2, READY)
    kit.apply((1, 90), (2, 10))

    kit.apply((1, 100))

    kit.wait(2, RevisionState.GONE)
    assert kit.desired() == [(kit.version(1).id, 100)]
    assert (kit.seen(1).state, kit.seen(1).percent) == (READY, 100)

    kit.apply((1, 100), (3, 0))
    kit.wait(3, READY)
    kit.apply((1, 0), (3, 100))

    assert kit.desired()[-1] == (kit.version(3).id, 100)
    assert (kit.seen(3).state, kit.seen(3).percent) == (READY, 100)


def test_what_is_removed_is_gone_and_may_be_removed_again(kit: Kit) -> None:
    kit.live(1)

    for _ in range(2):
        kit.serving.remove(ENVIRONMENT, kit.model)
        kit.catch_up()

    assert kit.desired() == []
    assert kit.seen(1).state is RevisionState.GONE
    assert kit.model not in [service.model for service in kit.serving.services()]


def test_to_desire_no_version_is_to_remove_it(kit: Kit) -> None:
    kit.apply((1, 100))

    kit.apply()

    assert kit.desired() == []


def test_all_services_are_told(kit: Kit) -> None:
    kit.apply((1, 100))
    first = kit.model
    kit.next_model()
    kit.apply((2, 100))

    told = [service.model for service in kit.serving.services()]

    assert {first, kit.model} <= set(told)
    assert told == sorted(told)
    kit.serving.remove(ENVIRONMENT, first)
    kit.catch_up()


def test_a_serving_that_works_is_healthy(kit: Kit) -> None:
    kit.serving.check_health()
