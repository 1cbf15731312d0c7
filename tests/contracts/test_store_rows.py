"""What is stored comes back as it was, and the questions of the use cases and pages get the right rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.change import ChangeState
from bot.domain.check import Annotation
from bot.domain.feedback import LedgerEntry, Notice, Reaction, Reply, Shown, Subject, SubjectFeedback, Waiver
from bot.domain.result import Metric
from bot.domain.run import Phase
from bot.ports.store import Kind
from bot.result_file import BadResult
from tests.contracts.store_examples import NOW, REPOSITORY, a_change, a_delivery, a_result, a_run, later


def add_runs(store, *runs) -> None:
    with store.transaction() as tx:
        for run in runs:
            tx.add_run(run, now=NOW)


def ids(runs) -> list[str]:
    return [run.id for run in runs]


def test_a_run_with_something_in_every_field_comes_back_equal(store):
    full = a_run(
        "run-1",
        number=7,
        params={"depth": None, "names": ["a", "λ \0"], "rate": 1e-9},
        gates=("accuracy >= 0.9",),
        notes=("gates come from main",),
        phase=Phase.FAILED,
        started_at=later(1),
        ended_at=later(2),
        result=a_result("run-1"),
        reused_run="run-0",
        base_run="run-b",
        production_version="version:v",
        serve="sklearn",
        cancel_requested_by="bob",
        superseded_by="d" * 40,
        force=True,
    )

    add_runs(store, full)

    assert store.run("run-1") == full
    assert store.run("run-2") is None


def test_saving_a_run_writes_all_but_who_asked_to_cancel_it(store):
    add_runs(store, a_run("run-1"))
    ended = a_run("run-1", phase=Phase.SUCCEEDED, ended_at=later(9), result=a_result("run-1"), base_run="run-0")

    with store.transaction() as tx:
        tx.save_run(replace(ended, cancel_requested_by="mallory", superseded_by="x"))

    assert store.run("run-1") == ended


def test_a_run_is_added_once_by_its_id_and_by_its_key_and_trigger(store):
    add_runs(store, a_run("run-1"))

    with store.transaction() as tx:
        assert not tx.add_run(a_run("run-1", model="other"), now=NOW)
        assert not tx.add_run(a_run("run-x", key="key-run-1"), now=NOW)
        assert tx.add_run(a_run("run-2", key="key-run-1", trigger="comment:1:1"), now=NOW)

    assert store.run("run-1") == a_run("run-1")


def test_saving_what_was_never_added_is_an_error_of_ours(store):
    with pytest.raises(LookupError, match="run-1"), store.transaction() as tx:
        tx.save_run(a_run("run-1"))
    with pytest.raises(LookupError, match="reply:1"), store.transaction() as tx:
        tx.save_reply(Reply("reply:1", REPOSITORY.key, 1, "1", Reaction.DONE, ""))


def test_a_metric_that_is_not_finite_is_refused_before_it_can_not_be_read_again(store):
    add_runs(store, a_run("run-1"))

    with pytest.raises(BadResult, match="finite number"), store.transaction() as tx:
        tx.save_run(a_run("run-1", result=a_result("run-1", metrics={"loss": Metric(float("nan"))})))

    assert store.run("run-1") == a_run("run-1")


def test_runs_are_found_by_each_of_their_sides_newest_request_first(store):
    add_runs(
        store,
        a_run("main-1", requested_at=later(1)),
        a_run("main-2", requested_at=later(2), phase=Phase.SUCCEEDED),
        a_run("main-3", requested_at=later(2), model="price"),
        a_run("change-1", requested_at=later(4), number=1, branch="main"),
        a_run("change-2", requested_at=later(5), number=2, branch="trees"),
        a_run("elsewhere", requested_at=later(6), repository="plain/other"),
    )

    assert ids(store.runs()) == ["elsewhere", "change-2", "change-1", "main-3", "main-2", "main-1"]
    assert ids(store.runs(repository=REPOSITORY.key)) == ["change-2", "change-1", "main-3", "main-2", "main-1"]
    assert ids(store.runs(repository=REPOSITORY.key, branch="main")) == ["main-3", "main-2", "main-1"]
    assert ids(store.runs(repository=REPOSITORY.key, number=1)) == ["change-1"]
    assert ids(store.runs(model="price")) == ["main-3"]
    assert ids(store.runs(repository=REPOSITORY.key, branch="main", active=True)) == ["main-3", "main-1"]
    assert ids(store.runs(active=False)) == ["main-2"]
    assert ids(store.runs(limit=2)) == ["elsewhere", "change-2"]


def test_only_the_newest_succeeded_run_of_a_key_is_reused(store):
    add_runs(
        store,
        a_run("old", key="k", trigger="1", phase=Phase.SUCCEEDED, requested_at=later(1)),
        a_run("new", key="k", trigger="2", phase=Phase.SUCCEEDED, requested_at=later(2)),
        a_run("reused", key="k", trigger="3", phase=Phase.REUSED, requested_at=later(3)),
        a_run("failed", key="k", trigger="4", phase=Phase.FAILED, requested_at=later(4)),
    )

    assert ids([store.succeeded_run("k")]) == ["new"]
    assert store.succeeded_run("unknown") is None


def test_the_incumbent_is_the_newest_result_with_metrics_of_the_branch_itself(store):
    def ended(run_id, at, *, phase=Phase.SUCCEEDED, metrics=None, **fields):
        result = a_result(run_id, metrics={"auc": Metric(0.9)} if metrics is None else metrics)
        return a_run(run_id, requested_at=later(at), phase=phase, result=result, **fields)

    add_runs(store, ended("older", 1), ended("newest", 2, phase=Phase.REUSED))
    add_runs(
        store,
        ended("of-a-change", 3, number=1),
        ended("of-another-model", 4, model="price"),
        ended("without-metrics", 5, metrics={}),
        ended("failed", 6, phase=Phase.FAILED),
        a_run("queued", requested_at=later(7)),
    )

    assert ids([store.newest_result(REPOSITORY.key, branch="main", model="churn")]) == ["newest"]
    assert store.newest_result(REPOSITORY.key, branch="other", model="churn") is None


def test_the_queue_is_first_come_first_served_and_passes_over_those_that_are_asked_to_end(store):
    add_runs(
        store,
        a_run("third", requested_at=later(3)),
        a_run("first", requested_at=later(1)),
        a_run("second", requested_at=later(1), number=1),
        a_run("leaving", requested_at=later(0)),
        a_run("starting", phase=Phase.STARTING),
        a_run("running", phase=Phase.RUNNING, requested_at=later(1)),
    )
    with store.transaction() as tx:
        tx.request_cancel("leaving", by="bob", superseded_by=None, now=NOW)

    assert store.oldest_queued(limit=10) == ["first", "second", "third"]
    assert store.oldest_queued(limit=1) == ["first"]
    assert [store.queue_position(run) for run in ("first", "second", "third")] == [1, 2, 3]
    assert [store.queue_position(run) for run in ("leaving", "starting", "unknown")] == [None, None, None]
    assert store.started_run_ids() == ["starting", "running"]


def test_whether_equal_work_is_under_way_is_told_by_its_key(store):
    add_runs(
        store,
        a_run("queued", key="waits"),
        a_run("starting", key="starts", phase=Phase.STARTING),
        a_run("again", key="starts"),
        a_run("running", key="runs", phase=Phase.RUNNING),
        a_run("ended", key="done", phase=Phase.SUCCEEDED),
    )

    keys = ("waits", "starts", "runs", "done", "unknown")
    assert [key for key in keys if store.is_started(key)] == ["starts", "runs"]


def test_changes_come_back_newest_first_and_by_state(store):
    old, merged, new = a_change(1), a_change(2, state=ChangeState.MERGED), a_change(10, from_fork=True)
    with store.transaction() as tx:
        for change in (old, merged, new):
            tx.save_change(replace(change, title="before"))
            tx.save_change(change)
        tx.save_change(a_change(3, repository="plain/other"))

    assert store.change(REPOSITORY.key, 10) == new
    assert store.change(REPOSITORY.key, 10**40) is None
    assert store.changes(REPOSITORY.key) == [new, merged, old]
    assert store.changes(REPOSITORY.key, state=ChangeState.OPEN) == [new, old]
    assert store.changes(REPOSITORY.key, limit=1) == [new]


def test_heads_are_remembered_moved_and_forgotten(store):
    with store.transaction() as tx:
        tx.save_head(REPOSITORY.key, "main", "a" * 40)
        tx.save_head(REPOSITORY.key, "--upload-pack=x", "b" * 40)
        tx.save_head(REPOSITORY.key, "gone", "c" * 40)
        tx.save_head("plain/other", "main", "d" * 40)
    with store.transaction() as tx:
        tx.save_head(REPOSITORY.key, "main", "e" * 40)
        tx.save_head(REPOSITORY.key, "gone", None)
        tx.save_head(REPOSITORY.key, "never-there", None)

    assert store.heads(REPOSITORY.key) == {"--upload-pack=x": "b" * 40, "main": "e" * 40}
    assert store.heads("plain/unknown") == {}


def test_feedback_comes_back_as_it_was_stored(store):
    on_change = SubjectFeedback(
        Subject(REPOSITORY.key, 3, "trees", "c" * 40),
        Notice("c" * 40, "failure", "mlops.yaml", "line 3 \0", (Annotation("mlops.yaml", 3, "wrong", "warning"),)),
        Shown("comment-1", "digest", {"sha/mlops/churn": ("check-1", "digest")}),
    )
    on_branch = SubjectFeedback(Subject(REPOSITORY.key, None, "main", "d" * 40))
    reply = Reply("reply:7", REPOSITORY.key, 3, "7", Reaction.REFUSED, "Only writers may.", Reaction.SEEN, "post-9")
    with store.transaction() as tx:
        for feedback in (on_change, on_branch):
            tx.show(feedback, now=NOW)
            tx.save_feedback(feedback)
        assert tx.add_reply(replace(reply, posted_id=None), now=NOW)
        assert not tx.add_reply(replace(reply, body="again"), now=NOW)
        tx.save_reply(reply)

    assert store.feedback("subject:plain/models#3") == on_change
    assert store.feedback("subject:plain/models@main") == on_branch
    assert store.reply("reply:7") == reply
    assert store.feedback("reply:7") is None
    assert store.reply("subject:plain/models#3") is None


def test_waivers_hold_until_they_expire(store):
    waiver = Waiver(REPOSITORY.key, 3, "churn", "accuracy >= 0.9", "known bad day", "bob", NOW, later(10))
    ended = replace(waiver, gate="loss < 1", expires_at=later(5))
    with store.transaction() as tx:
        tx.add_waiver(waiver)
        tx.add_waiver(ended)
        tx.add_waiver(replace(waiver, number=4))

    assert store.waivers(REPOSITORY.key, 3, now=NOW) == [waiver, ended]
    assert store.waivers(REPOSITORY.key, 3, now=later(5)) == [waiver]


def test_the_ledger_is_read_newest_first(store):
    first = LedgerEntry(later(9), "alice", "waived", REPOSITORY.key, "#3", {"gate": "accuracy >= 0.9"})
    second = LedgerEntry(NOW, "bob", "run_canceled", REPOSITORY.key, "run-1")
    other = LedgerEntry(NOW, "bob", "run_canceled", "plain/other", "run-2")
    with store.transaction() as tx:
        for entry in (first, second, other):
            tx.append_ledger(entry)

    assert store.ledger() == [other, second, first]
    assert store.ledger(repository=REPOSITORY.key, limit=5) == [second, first]
    assert store.ledger(limit=1) == [other]


def test_a_repository_is_found_by_its_key(store):
    with store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)

    assert store.repository(REPOSITORY.key) == REPOSITORY
    assert store.repository("plain/unknown") is None


def test_rows_are_counted_by_kind_and_phase(store):
    store.add_deliveries([a_delivery("d1")])
    add_runs(store, a_run("run-1"), a_run("run-2"), a_run("run-3", phase=Phase.FAILED))
    with store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)
        tx.show(SubjectFeedback(Subject(REPOSITORY.key, 1, "b", "c")), now=NOW)

    assert store.counts() == {
        "delivery/open": 1,
        "delivery/given_up": 0,
        "run/queued": 2,
        "run/failed": 1,
        "feedback/open": 1,
        "repository/watched": 1,
    }


def test_rows_that_rest_are_not_looked_at_to_find_those_that_are_due(store, plan_of):
    with store.transaction() as tx:
        for number in range(400):
            tx.add_run(a_run(f"run-{number}"), now=later(3600))
    with store.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")

    assert "ix_runs_due" in plan_of(lambda: store.claim(Kind.RUN, limit=10, lease_s=60, now=NOW))
    assert "ix_runs_due" in plan_of(lambda: store.next_due_at(Kind.RUN))
    assert store.claim(Kind.RUN, limit=10, lease_s=60, now=NOW) == []
    assert store.next_due_at(Kind.RUN) == later(3600)


def test_a_store_that_answers_says_so(store):
    store.ping()
