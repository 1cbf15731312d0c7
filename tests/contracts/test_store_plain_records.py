"""What the plain-git forge remembers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.change import ChangeState
from bot.domain.check import Annotation, Check, CheckStatus, Conclusion
from bot.ports.plain_records import Post
from tests.contracts.store_examples import NOW, REPOSITORY, a_change, later


def test_changes_are_numbered_per_repository_from_one(records):
    first = records.add_change(a_change(99, source_branch="trees"))
    second = records.add_change(a_change(0, source_branch="depth"))
    elsewhere = records.add_change(a_change(0, repository="plain/other"))

    assert first == a_change(1, source_branch="trees")
    assert (second.number, elsewhere.number) == (2, 1)
    assert records.change(REPOSITORY.key, 1) == first
    assert records.changes(REPOSITORY.key) == [first, second]


def test_a_branch_has_one_open_change_and_a_new_one_after_that_was_closed(records):
    first = records.add_change(a_change(0, source_branch="trees"))

    assert records.add_change(a_change(0, source_branch="trees", title="Again")) == first
    records.save_change(replace(first, state=ChangeState.CLOSED))
    assert records.change_of_branch(REPOSITORY.key, "trees") is None
    second = records.add_change(a_change(0, source_branch="trees"))

    assert second.number == 2
    assert records.change_of_branch(REPOSITORY.key, "trees") == second


def test_a_change_is_saved_under_its_number(records):
    change = records.add_change(a_change(0, source_branch="trees"))
    moved = replace(change, head_sha="e" * 40, title="Fewer trees")

    records.save_change(moved)

    assert records.changes(REPOSITORY.key) == [moved]


def test_posts_are_kept_in_the_order_in_which_they_were_written(records):
    comment = records.add_post(REPOSITORY.key, 1, author="alice", body="/train $(rm -rf ~)", is_bot=False, now=NOW)
    answer = records.add_post(REPOSITORY.key, 1, author="mlops-bot", body="<!-- m -->", is_bot=True, now=NOW)
    records.add_post(REPOSITORY.key, 2, author="alice", body="elsewhere", is_bot=False, now=NOW)

    records.save_post(answer.id, body="newer", now=later(5))
    records.set_reactions(comment.id, ["eyes", "+1"])

    assert records.posts(REPOSITORY.key, 1) == [
        Post(comment.id, REPOSITORY.key, 1, "alice", "/train $(rm -rf ~)", False, NOW, NOW, ("eyes", "+1")),
        Post(answer.id, REPOSITORY.key, 1, "mlops-bot", "newer", True, NOW, later(5)),
    ]
    assert records.post(comment.id) == records.posts(REPOSITORY.key, 1)[0]


@pytest.mark.parametrize("post_id", ["7", "", "-1", "x", "1; DROP TABLE", "9" * 50, "9223372036854775808", "²"])
def test_a_post_that_does_not_exist_is_none_and_can_not_be_written(records, post_id):
    assert records.post(post_id) is None
    with pytest.raises(LookupError):
        records.save_post(post_id, body="x", now=NOW)


def test_a_check_is_replaced_by_name_and_commit_and_keeps_its_id(records):
    queued = Check("mlops/churn", "a" * 40, CheckStatus.QUEUED, None, "Queued", "", "/runs/1")
    done = replace(
        queued,
        status=CheckStatus.COMPLETED,
        conclusion=Conclusion.FAILURE,
        summary="accuracy 0.4 \0",
        annotations=(Annotation("train.py", 3, "raised", "failure"),),
    )
    first = records.save_check(REPOSITORY.key, queued)
    other = records.save_check(REPOSITORY.key, replace(queued, name="mlops/age"))

    assert records.save_check(REPOSITORY.key, done) == first
    assert other != first
    assert records.checks(REPOSITORY.key, "a" * 40) == [
        replace(queued, name="mlops/age"),
        replace(done, summary="accuracy 0.4 \ufffd"),
    ]
    assert records.checks(REPOSITORY.key, "b" * 40) == []
