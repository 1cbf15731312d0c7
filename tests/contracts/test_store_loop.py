"""Claims, leases and revisions: a late writer never wins, a wake-up is never lost (invariants 1 and 2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.feedback import LedgerEntry, Reaction, Reply, Shown, Subject, SubjectFeedback
from bot.domain.run import Phase
from bot.ports.store import Kind, LeaseLost
from bot.store import SqlStore
from tests.contracts.store_examples import NOW, REPOSITORY, a_delivery, a_deployment, a_run, a_version, later

SUBJECT = Subject(REPOSITORY.key, 1, "trees", "c" * 40)


def add_run(store: SqlStore, run, *, now=NOW) -> None:
    with store.transaction() as tx:
        assert tx.add_run(run, now=now)


def claim_one(store: SqlStore, kind: Kind = Kind.RUN, *, now=NOW, lease_s=60.0):
    (claim,) = store.claim(kind, limit=10, lease_s=lease_s, now=now)
    return claim


def claim_none(store: SqlStore, kind: Kind = Kind.RUN, *, now=NOW) -> bool:
    return store.claim(kind, limit=10, lease_s=60, now=now) == []


def test_new_rows_of_every_kind_are_due_at_once(store):
    store.add_deliveries([a_delivery("d1")])
    with store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)
        tx.add_run(a_run("run-1"), now=NOW)
        tx.add_version(a_version("run-1"), now=NOW)
        tx.add_deployment(a_deployment("dep-1"), now=NOW)
        tx.show(SubjectFeedback(SUBJECT), now=NOW)
        tx.add_reply(Reply("reply:7", REPOSITORY.key, 1, "7", Reaction.DONE, "ok"), now=NOW)

    assert {kind: {claim.id for claim in store.claim(kind, limit=10, lease_s=60, now=NOW)} for kind in Kind} == {
        Kind.DELIVERY: {"d1"},
        Kind.RUN: {"run-1"},
        Kind.VERSION: {"version:plain/models:churn:run-1"},
        Kind.DEPLOYMENT: {"dep-1"},
        Kind.FEEDBACK: {"subject:plain/models#1", "reply:7"},
        Kind.REPOSITORY: {"plain/models"},
    }


def test_a_claimed_row_is_not_claimed_again_before_its_lease_ends(store):
    add_run(store, a_run("run-1"))
    first = claim_one(store, lease_s=60)

    assert claim_none(store, now=later(59.9))
    second = claim_one(store, now=later(60))

    assert (second.id, second.attempts) == ("run-1", 0)
    assert second.revision > first.revision


def test_the_longest_overdue_rows_are_claimed_first_up_to_the_limit(store):
    for run_id, due in [("run-b", 2.0), ("run-a", 1.0), ("run-c", 3.0)]:
        add_run(store, a_run(run_id), now=later(due))

    claims = store.claim(Kind.RUN, limit=2, lease_s=60, now=later(5))

    assert {claim.id for claim in claims} == {"run-a", "run-b"}
    assert claim_one(store, now=later(5)).id == "run-c"


def test_settling_plans_the_next_check_or_none(store):
    add_run(store, a_run("run-1"))

    claim = claim_one(store)
    with store.transaction() as tx:
        tx.settle(claim, next_check_at=later(10))
    assert store.next_due_at(Kind.RUN) == later(10)
    assert claim_none(store, now=later(9))

    claim = claim_one(store, now=later(10))
    with store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
    assert store.next_due_at(Kind.RUN) is None
    assert claim_none(store, now=later(10**6))


def test_a_row_with_a_final_phase_is_never_due(store):
    add_run(store, a_run("run-1", phase=Phase.REUSED))

    assert claim_none(store)
    assert store.next_due_at(Kind.RUN) is None


def test_a_late_writer_loses_and_nothing_of_its_transaction_stays(store):
    add_run(store, a_run("run-1"))
    late = claim_one(store, lease_s=60)
    current = claim_one(store, now=later(61))

    with pytest.raises(LeaseLost), store.transaction() as tx:  # noqa: PT012 - the whole transaction is the point
        tx.append_ledger(LedgerEntry(NOW, "bot", "run_started", REPOSITORY.key, "run-1"))
        tx.add_run(a_run("run-2"), now=NOW)
        tx.save_run(a_run("run-1", phase=Phase.FAILED))
        tx.settle(late, next_check_at=None)

    assert store.ledger() == []
    assert store.run("run-2") is None
    assert store.run("run-1") == a_run("run-1")
    with store.transaction() as tx:
        tx.settle(current, next_check_at=None)


def test_a_writer_may_write_its_own_row_before_and_after_it_settles(store):
    add_run(store, a_run("run-1"))
    claim = claim_one(store)

    with store.transaction() as tx:
        tx.save_run(a_run("run-1", phase=Phase.STARTING))
        tx.settle(claim, next_check_at=later(2))
        tx.save_run(a_run("run-1", phase=Phase.RUNNING))

    assert store.run("run-1") == a_run("run-1", phase=Phase.RUNNING)
    assert store.next_due_at(Kind.RUN) == later(2)


def test_a_wake_up_during_a_claim_is_not_lost(store):
    add_run(store, a_run("run-1"))
    claim = claim_one(store)

    with store.transaction() as tx:
        tx.wake(Kind.RUN, "run-1", now=later(1))
    with pytest.raises(LeaseLost), store.transaction() as tx:
        tx.settle(claim, next_check_at=None)

    assert claim_one(store, now=later(1)).id == "run-1"


def test_a_wake_up_makes_a_resting_or_parked_row_due_and_leaves_an_overdue_one_where_it_was(store):
    for run_id, next_check_at in [("resting", None), ("parked", later(3600)), ("overdue", later(-5))]:
        add_run(store, a_run(run_id))
        claim = claim_one(store)
        with store.transaction() as tx:
            tx.settle(claim, next_check_at=next_check_at)
        if run_id == "overdue":
            assert store.overdue_s(now=NOW) == 5.0

    with store.transaction() as tx:
        for run_id in ("resting", "parked", "overdue", "unknown"):
            tx.wake(Kind.RUN, run_id, now=NOW)

    assert store.overdue_s(now=NOW) == 5.0
    assert {claim.id for claim in store.claim(Kind.RUN, limit=9, lease_s=60, now=NOW)} == {
        "resting",
        "parked",
        "overdue",
    }


def test_failures_are_counted_until_the_row_settles(store):
    add_run(store, a_run("run-1"))
    for attempt in range(3):
        claim = claim_one(store, now=later(attempt))
        assert claim.attempts == attempt
        store.fail(claim, error="no answer", next_check_at=later(attempt + 1))

    claim = claim_one(store, now=later(3))
    with store.transaction() as tx:
        tx.settle(claim, next_check_at=later(4))

    assert claim_one(store, now=later(4)).attempts == 0


def test_failing_a_claim_that_was_lost_changes_nothing(store):
    add_run(store, a_run("run-1"))
    late = claim_one(store, lease_s=1)
    current = claim_one(store, now=later(2))

    store.fail(late, error="too late", next_check_at=None)

    with store.transaction() as tx:
        tx.settle(current, next_check_at=later(9))
    assert claim_one(store, now=later(9)).attempts == 0


def test_a_request_to_cancel_wakes_an_active_run_once_and_survives_whoever_saves_the_run(store):
    add_run(store, a_run("run-1"))
    claim = claim_one(store)

    with store.transaction() as tx:
        assert tx.request_cancel("run-1", by="bob", superseded_by=None, now=NOW)
        assert not tx.request_cancel("run-1", by="carol", superseded_by="x", now=NOW)
        assert not tx.request_cancel("unknown", by="bob", superseded_by=None, now=NOW)
    with pytest.raises(LeaseLost), store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
    claim = claim_one(store)
    with store.transaction() as tx:
        tx.save_run(a_run("run-1", phase=Phase.CANCELED))
        tx.settle(claim, next_check_at=None)

    assert store.run("run-1") == a_run("run-1", phase=Phase.CANCELED, cancel_requested_by="bob")
    with store.transaction() as tx:
        assert not tx.request_cancel("run-1", by="bob", superseded_by=None, now=NOW)


def test_what_should_be_shown_changes_and_what_is_known_to_be_shown_stays(store):
    shown = Shown("comment-1", "digest", {"sha/mlops/churn": ("check-1", "digest")})
    with store.transaction() as tx:
        tx.show(SubjectFeedback(SUBJECT), now=NOW)
    claim = claim_one(store, Kind.FEEDBACK)
    with store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
        tx.save_feedback(SubjectFeedback(SUBJECT, shown=shown))

    newer = replace(SUBJECT, sha="d" * 40)
    with store.transaction() as tx:
        tx.show(SubjectFeedback(newer, shown=Shown("other")), now=later(1))

    assert store.feedback(SUBJECT.id) == SubjectFeedback(newer, shown=shown)
    assert claim_one(store, Kind.FEEDBACK, now=later(1)).id == SUBJECT.id


def test_a_repository_that_is_seen_again_is_not_disturbed_and_a_moved_one_is_updated(store):
    with store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)
    claim = claim_one(store, Kind.REPOSITORY)
    with store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)
        tx.settle(claim, next_check_at=later(60))
    moved = replace(REPOSITORY, clone_address="/srv/git/moved.git")

    with store.transaction() as tx:
        tx.add_repository(moved, now=NOW)

    assert store.repositories() == [moved]
    assert store.next_due_at(Kind.REPOSITORY) == later(60)


def test_next_due_looks_at_leases_and_overdue_does_not(store):
    add_run(store, a_run("run-1"))
    assert store.next_due_at(Kind.RUN) == NOW
    assert store.overdue_s(now=later(3)) == 3.0

    claim_one(store, lease_s=60)

    assert store.next_due_at(Kind.RUN) == later(60)
    assert store.overdue_s(now=later(3)) == 0.0
    assert store.overdue_s(now=later(61)) == 61.0


def test_whoever_waits_is_told_which_kinds_became_due(store):
    heard: list[Kind] = []
    store.on_commit_due = heard.append

    store.add_deliveries([a_delivery("d1"), a_delivery("d2")])
    store.add_deliveries([a_delivery("d1")])
    assert heard == [Kind.DELIVERY]

    heard.clear()
    with store.transaction() as tx:
        tx.add_run(a_run("run-1"), now=NOW)
        tx.add_run(a_run("run-2", phase=Phase.REUSED), now=NOW)
        tx.wake(Kind.FEEDBACK, "subject:unknown", now=NOW)
    assert heard == [Kind.RUN]

    heard.clear()
    with store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)
        tx.add_reply(Reply("reply:7", REPOSITORY.key, 1, "7", Reaction.DONE, "ok"), now=NOW)
        tx.request_cancel("run-1", by="bob", superseded_by=None, now=NOW)
    assert sorted(heard) == [Kind.FEEDBACK, Kind.REPOSITORY, Kind.RUN]

    heard.clear()
    delivery = claim_one(store, Kind.DELIVERY)
    with store.transaction() as tx:
        tx.settle(delivery, next_check_at=None)
    assert heard == [Kind.DELIVERY]  # the next one of its order


def test_a_transaction_that_was_rolled_back_tells_nobody(store):
    heard: list[Kind] = []
    store.on_commit_due = heard.append

    with pytest.raises(ZeroDivisionError), store.transaction() as tx:  # noqa: PT012 - the whole transaction is the point
        tx.add_run(a_run("run-1"), now=NOW)
        raise ZeroDivisionError

    assert heard == []
    assert store.runs() == []
