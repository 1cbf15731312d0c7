"""Checks on GitLab are commit statuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.change import Change
from bot.domain.check import Check, CheckStatus, Conclusion
from bot.domain.errors import TransientError, UserError
from tests.fakes.gitlab.records import Status
from tests.fakes.gitlab.workshop import Workshop

POST = "POST /projects/:id/statuses/:id"


def check(sha: str, status: CheckStatus = CheckStatus.QUEUED, conclusion: Conclusion | None = None) -> Check:
    return Check("mlops/churn", sha, status, conclusion, "A title", "", "https://mlops.example.com/runs/1")


def done(sha: str, conclusion: Conclusion) -> Check:
    return check(sha, CheckStatus.COMPLETED, conclusion)


def shown(it: Workshop) -> list[Status]:
    return it.project.statuses


def test_a_check_becomes_a_status_with_its_name_words_and_address(it: Workshop, change: Change) -> None:
    it.forge.put_check(change.repository, check(change.head_sha), known_id=None)

    (status,) = shown(it)
    assert (status.name, status.state, status.description) == ("mlops/churn", "pending", "A title")
    assert (status.sha, status.ref) == (change.head_sha, "better")
    assert status.target_url == "https://mlops.example.com/runs/1"
    assert it.spent() == {POST: 1}


@pytest.mark.parametrize(
    ("conclusion", "state", "words"),
    [
        (Conclusion.SUCCESS, "success", "A title"),
        (Conclusion.FAILURE, "failed", "A title"),
        (Conclusion.CANCELED, "canceled", "A title"),
        (Conclusion.NEUTRAL, "success", "Neutral: A title"),
    ],
)
def test_each_conclusion_has_a_state_and_what_has_none_is_said_in_words(
    it: Workshop, change: Change, conclusion: Conclusion, state: str, words: str
) -> None:
    for one in (check(change.head_sha, CheckStatus.IN_PROGRESS), done(change.head_sha, conclusion)):
        it.forge.put_check(change.repository, one, known_id=None)

    assert [(status.state, status.description) for status in shown(it)] == [(state, words)]


def test_what_needs_action_is_pending_so_that_it_does_not_look_failed(it: Workshop, change: Change) -> None:
    it.forge.put_check(change.repository, done(change.head_sha, Conclusion.ACTION_REQUIRED), known_id=None)

    (status,) = shown(it)
    assert (status.state, status.description) == ("pending", "Action required: A title")


def test_progress_in_the_same_state_is_not_sent_because_gitlab_refuses_it(it: Workshop, change: Change) -> None:
    running = check(change.head_sha, CheckStatus.IN_PROGRESS)
    for one in (running, replace(running, title="Another step"), running):
        it.forge.put_check(change.repository, one, known_id=None)

    assert it.spent() == {POST: 1}


def test_a_transition_that_gitlab_refuses_after_a_restart_is_no_error(it: Workshop, change: Change) -> None:
    running = check(change.head_sha, CheckStatus.IN_PROGRESS)
    it.forge.put_check(change.repository, running, known_id=None)
    it.forge = type(it.forge)(it.settings, git=it.git, clock=it.clock)

    for one in (running, check(change.head_sha)):
        assert it.forge.put_check(change.repository, one, known_id=None) == f"{change.head_sha}:mlops/churn"

    assert [status.state for status in shown(it)] == ["running"]


def test_a_new_run_at_the_same_commit_takes_the_place_of_the_one_that_ended(it: Workshop, change: Change) -> None:
    sha = change.head_sha
    for one in (check(sha), done(sha, Conclusion.FAILURE), check(sha), done(sha, Conclusion.SUCCESS)):
        it.forge.put_check(change.repository, one, known_id=None)

    assert [status.state for status in shown(it)] == ["failed", "success"]


def test_a_commit_that_no_branch_holds_or_nobody_knows_is_no_error(it: Workshop, change: Change) -> None:
    for sha in ("0123456789" * 4, change.head_sha):
        it.fake.fail(f"POST .*/statuses/{sha}", status=404, body=b'{"message":"404 References for commit Not Found"}')
        it.forge.put_check(change.repository, done(sha, Conclusion.SUCCESS), known_id=None)
    it.forge.put_check(change.repository, done("0123456789" * 4, Conclusion.SUCCESS), known_id=None)

    assert shown(it) == []


def test_a_project_that_is_gone_or_closed_to_the_bot_is_an_error_in_words(it: Workshop, change: Change) -> None:
    it.project.members[it.bot.id] = 20
    with pytest.raises(UserError, match="does not allow this to the bot"):
        it.forge.put_check(change.repository, check(change.head_sha), known_id=None)
    del it.project.members[it.bot.id]

    with pytest.raises(UserError, match="may not see it"):
        it.forge.put_check(change.repository, done(change.head_sha, Conclusion.SUCCESS), known_id=None)


def test_long_words_are_cut_and_an_address_that_is_too_long_is_left_out(it: Workshop, change: Change) -> None:
    long = replace(check(change.head_sha), title="é" * 300, details_url="https://mlops.example.com/" + "a" * 300)

    it.forge.put_check(change.repository, long, known_id=None)

    assert shown(it)[0].description == "é" * 254 + "…"
    assert shown(it)[0].target_url is None


def test_with_little_quota_left_only_what_is_final_is_sent(it: Workshop, change: Change) -> None:
    it.fake.quota_left = 150
    it.forge.permission(change.repository, "ada")
    it.spent()

    for one in (check(change.head_sha), done(change.head_sha, Conclusion.SUCCESS)):
        it.forge.put_check(change.repository, one, known_id=None)
    assert it.spent() == {POST: 1}
    assert [status.state for status in shown(it)] == ["success"]

    it.fake.quota_left = 2000
    it.clock.forward(61)
    it.forge.put_check(change.repository, check(change.head_sha), known_id=None)
    assert it.spent() == {POST: 1}


def test_another_update_of_the_same_status_in_progress_is_tried_again_later(it: Workshop, change: Change) -> None:
    it.fake.fail(
        "POST .*/statuses/", status=409, body=b'{"message":"Another update to this commit status is in progress"}'
    )

    with pytest.raises(TransientError):
        it.forge.put_check(change.repository, done(change.head_sha, Conclusion.SUCCESS), known_id=None)


def test_a_status_that_was_not_taken_for_a_passing_reason_is_sent_again(it: Workshop, change: Change) -> None:
    it.fake.fail("POST .*/statuses/", status=502)
    with pytest.raises(TransientError):
        it.forge.put_check(change.repository, check(change.head_sha), known_id=None)

    it.forge.put_check(change.repository, check(change.head_sha), known_id=None)

    assert [status.state for status in shown(it)] == ["pending"]
