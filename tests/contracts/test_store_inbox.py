"""The inbox: nothing is lost, nothing is taken twice, each change's deliveries in their order (invariant 1)."""

from __future__ import annotations

from bot.ports.store import Kind
from bot.store import SqlStore
from tests.contracts.store_examples import NOW, a_delivery, later


def claimed(store: SqlStore, *, now=NOW, limit=10, lease_s=60.0) -> list[str]:
    return [claim.id for claim in store.claim(Kind.DELIVERY, limit=limit, lease_s=lease_s, now=now)]


def settle(store: SqlStore, claim) -> None:
    with store.transaction() as tx:
        tx.settle(claim, next_check_at=None)


def test_a_delivery_comes_back_as_it_was_stored(store):
    delivery = a_delivery("d1")

    assert store.add_deliveries([delivery]) == [True]
    assert store.delivery("d1") == delivery
    assert store.delivery("d2") is None


def test_a_delivery_seen_before_is_stored_once_and_the_first_one_counts(store):
    first = a_delivery("d1")
    store.add_deliveries([first])

    again = store.add_deliveries(
        [a_delivery("d1", order_key="other"), a_delivery("d2"), a_delivery("d2", order_key="x")]
    )

    assert again == [False, True, False]
    assert store.delivery("d1") == first
    assert store.delivery("d2") == a_delivery("d2")
    assert store.counts()["delivery/open"] == 2


def test_storing_no_deliveries_is_nothing(store):
    assert store.add_deliveries([]) == []


def test_of_one_order_only_the_oldest_open_delivery_is_due_leased_or_not(store):
    store.add_deliveries(
        [a_delivery("a1", order_key="a"), a_delivery("b1", order_key="b"), a_delivery("a2", order_key="a")]
    )

    claims = store.claim(Kind.DELIVERY, limit=10, lease_s=60, now=NOW)
    assert {claim.id for claim in claims} == {"a1", "b1"}
    assert claimed(store) == []  # a2 waits for a1, which is leased

    settle(store, next(claim for claim in claims if claim.id == "a1"))
    assert claimed(store) == ["a2"]


def test_a_delivery_that_failed_keeps_the_later_ones_of_its_order_waiting(store):
    store.add_deliveries([a_delivery("a1"), a_delivery("a2")])
    (claim,) = store.claim(Kind.DELIVERY, limit=10, lease_s=60, now=NOW)

    store.fail(claim, error="the forge does not answer", next_check_at=later(30))

    assert claimed(store, now=later(29)) == []
    assert store.next_due_at(Kind.DELIVERY) == later(30)
    assert claimed(store, now=later(30)) == ["a1"]


def test_a_delivery_that_was_given_up_lets_the_next_one_pass_and_is_counted(store):
    store.add_deliveries([a_delivery("a1"), a_delivery("a2")])
    (claim,) = store.claim(Kind.DELIVERY, limit=10, lease_s=60, now=NOW)

    store.fail(claim, error="broken", next_check_at=None)

    assert claimed(store) == ["a2"]
    assert store.counts()["delivery/given_up"] == 1


def test_the_order_is_that_of_storing_whatever_the_times_say(store):
    store.add_deliveries([a_delivery("first", received_at=later(5))])
    store.add_deliveries([a_delivery("second", received_at=NOW)])

    assert claimed(store, now=later(4)) == []
    assert claimed(store, now=later(5)) == ["first"]


def test_behind_a_long_queue_of_one_order_others_are_found(store):
    store.add_deliveries([a_delivery(f"a{number}", order_key="a") for number in range(300)])
    store.add_deliveries([a_delivery("b1", order_key="b", received_at=later(1))])
    assert claimed(store) == ["a0"]

    assert claimed(store, now=later(1)) == ["b1"]


def test_ten_thousand_deliveries_are_stored_together_in_their_order(store):
    deliveries = [a_delivery(f"d{number}", order_key=f"o{number % 997}") for number in range(10_000)]

    assert all(store.add_deliveries(deliveries))

    assert store.counts()["delivery/open"] == 10_000
    assert set(claimed(store, limit=2_000)) == {f"d{number}" for number in range(997)}


def test_purging_deletes_settled_deliveries_that_are_old_enough_and_nothing_else(store):
    store.add_deliveries(
        [
            a_delivery("old", order_key="a"),
            a_delivery("old-open", order_key="b"),
            a_delivery("new", order_key="c", received_at=later(9)),
        ]
    )
    for claim in store.claim(Kind.DELIVERY, limit=10, lease_s=60, now=later(9)):
        if claim.id != "old-open":
            settle(store, claim)

    assert store.purge_deliveries(older_than=later(9)) == 1

    assert store.delivery("old") is None
    assert store.delivery("old-open") is not None
    assert store.delivery("new") is not None
    assert store.add_deliveries([a_delivery("new"), a_delivery("old")]) == [False, True]


def test_names_and_words_that_a_database_would_refuse_are_stored_legibly(store):
    hostile = a_delivery("d\0\ud800" + "é" * 5_000, order_key="k\0" * 5_000)

    assert store.add_deliveries([hostile, hostile]) == [True, False]

    stored = store.delivery(hostile.id)
    assert stored is not None
    assert stored.body == hostile.body
    assert stored.id.startswith("d\ufffd?éé")
    assert claimed(store) == [stored.id]
