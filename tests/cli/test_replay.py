"""`mlops-bot replay`: a stored webhook is handled once more."""

from __future__ import annotations

from bot.domain.change import Delivery
from bot.ports.store import Kind
from tests.cli.conftest import Run
from tests.web.kit import Workplace, push_body
from tests.web.seed import NOW, REPOSITORY


def test_a_settled_delivery_is_due_again_and_it_is_said_where_to_look(mlops_bot: Run, place: Workplace):
    with place.store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)
    place.store.add_deliveries([Delivery("d-1", "plain", "push", push_body(), REPOSITORY.key, NOW)])
    (claim,) = place.store.claim(Kind.DELIVERY, limit=1, lease_s=60, now=NOW)
    place.store.fail(claim, error="given up", next_check_at=None)

    code, out, err = mlops_bot("replay", "d-1")

    address = (place.home / "service-url").read_text()
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"Handled once more: push from plain, received {NOW.isoformat().replace('+00:00', 'Z')}.",
        f"  what comes of it: {address}/repositories/plain/models",
        "  in the service's log: lines with delivery_id=d-1",
    ]
    assert place.store.next_due_at(Kind.DELIVERY) is not None
    assert Kind.DELIVERY in place.wakes


def test_a_delivery_that_is_not_there_is_said_in_words(mlops_bot: Run, place: Workplace):
    code, _, err = mlops_bot("replay", "no/such")

    assert code == 2
    assert "There is no delivery no/such: it never came, or it is older than what is kept (7 days)." in err


def test_without_a_service_it_is_said_how_to_start_it(mlops_bot: Run):
    code, _, err = mlops_bot("replay", "d-1")

    assert code == 2
    assert "the service is not running" in err
    assert "fix: Start it: mlops-bot serve" in err
