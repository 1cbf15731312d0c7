"""The ledger on every database: read in pages, from either end, of what it is about."""

from __future__ import annotations

from bot.domain.feedback import LedgerEntry
from bot.store import SqlStore
from tests.contracts.store_examples import NOW, REPOSITORY

OTHER = "plain/other"


def entry(action: str, *, repository: str = REPOSITORY.key, subject: str = "dep-1", **details: str) -> LedgerEntry:
    return LedgerEntry(NOW, "ada", action, repository, subject, details)


def append(store: SqlStore, *entries: LedgerEntry) -> None:
    with store.transaction() as tx:
        for one in entries:
            tx.append_ledger(one)


def actions(entries: list[LedgerEntry]) -> list[str]:
    return [one.action for one in entries]


def test_it_is_read_page_by_page_newest_first_and_from_a_place_on_oldest_first(store: SqlStore):
    append(store, *(entry(f"a{number}") for number in range(5)))

    first = store.ledger(limit=2)
    second = store.ledger(before=first[-1].seq, limit=2)
    onward = store.ledger(since=second[-1].seq)

    assert (actions(first), actions(second)) == (["a4", "a3"], ["a2", "a1"])
    assert actions(onward) == ["a2", "a3", "a4"]
    assert actions(store.ledger(since=0, limit=3)) == ["a0", "a1", "a2"]
    assert store.ledger(since=first[0].seq) == []


def test_it_is_read_by_what_it_is_about_in_the_details_or_as_the_subject(store: SqlStore):
    append(
        store,
        entry("registered", subject="churn"),
        entry("live", model="churn", environment="staging"),
        entry("case", model="Churn", environment="Staging"),
        entry("elsewhere", repository=OTHER, model="churn", environment="staging"),
    )

    assert actions(store.ledger(model="churn")) == ["elsewhere", "live", "registered"]
    assert actions(store.ledger(model="churn", repository=REPOSITORY.key)) == ["live", "registered"]
    assert actions(store.ledger(environment="staging", repository=OTHER)) == ["elsewhere"]
    assert actions(store.ledger(environment="%", since=0)) == []


def test_a_reason_that_looks_like_a_detail_is_none(store: SqlStore):
    append(store, entry("said", reason='"model":"churn"', environment='x","model":"churn'))

    assert store.ledger(model="churn") == []
    assert actions(store.ledger(environment='x","model":"churn')) == ["said"]
