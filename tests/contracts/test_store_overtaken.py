"""Who decides on what is stored, and whether it still is so when the decision is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.feedback import Notice, Shown, Subject, SubjectFeedback
from bot.domain.run import Phase
from bot.ports.store import Kind, Overtaken
from tests.contracts.store_examples import NOW, REPOSITORY, a_change, a_run, later

SUBJECT = Subject(REPOSITORY.key, 1, "trees", "a" * 40)


def test_a_head_that_is_as_expected_lets_the_transaction_through(store):
    with store.transaction() as tx:
        tx.expect_head(REPOSITORY.key, "main", None)
        tx.save_head(REPOSITORY.key, "main", "1" * 40)
    with store.transaction() as tx:
        tx.expect_head(REPOSITORY.key, "main", "1" * 40)
        tx.save_head(REPOSITORY.key, "main", "2" * 40)

    assert store.heads(REPOSITORY.key) == {"main": "2" * 40}


@pytest.mark.parametrize("expected", [None, "1" * 40])
def test_a_head_that_somebody_else_handled_stops_the_whole_transaction(store, expected):
    with store.transaction() as tx:
        tx.save_head(REPOSITORY.key, "main", "2" * 40)

    def decide() -> None:
        with store.transaction() as tx:
            tx.add_run(a_run("run-1"), now=NOW)
            tx.expect_head(REPOSITORY.key, "main", expected)

    with pytest.raises(Overtaken):
        decide()
    assert store.run("run-1") is None


def test_a_change_is_expected_in_every_field(store):
    with store.transaction() as tx:
        tx.expect_change(REPOSITORY.key, 1, None)
        tx.save_change(a_change(1))
    with store.transaction() as tx:
        tx.expect_change(REPOSITORY.key, 1, a_change(1))

    for other in (None, replace(a_change(1), head_sha="d" * 40), replace(a_change(1), target_branch="next")):
        with pytest.raises(Overtaken), store.transaction() as tx:
            tx.expect_change(REPOSITORY.key, 1, other)


def test_what_was_sent_is_remembered_without_taking_the_row_from_anybody(store):
    notice = Notice("a" * 40, "neutral", "Nothing to run", "words")
    with store.transaction() as tx:
        tx.show(SubjectFeedback(SUBJECT, notice), now=NOW)
    (claim,) = store.claim(Kind.FEEDBACK, limit=1, lease_s=60, now=NOW)
    shown = Shown("comment-1", "digest", {f"{SUBJECT.sha}/mlops": ("check-1", "digest")})

    with store.transaction() as tx:
        tx.save_shown(SUBJECT.id, shown)

    assert store.feedback(SUBJECT.id) == SubjectFeedback(SUBJECT, notice, shown)
    assert store.claim(Kind.FEEDBACK, limit=1, lease_s=60, now=NOW) == []
    with store.transaction() as tx:
        tx.settle(claim, next_check_at=None)


def test_the_queued_runs_with_a_key_are_found_the_oldest_first(store):
    with store.transaction() as tx:
        for name, key, at, phase in (
            ("run-b", "k", later(2), Phase.QUEUED),
            ("run-a", "k", later(1), Phase.QUEUED),
            ("run-c", "k", later(0), Phase.RUNNING),
            ("run-d", "other", later(0), Phase.QUEUED),
        ):
            tx.add_run(a_run(name, key=key, requested_at=at, phase=phase, trigger=name), now=NOW)

    assert store.queued_equals("k") == ["run-a", "run-b"]
    assert store.queued_equals("none") == []
