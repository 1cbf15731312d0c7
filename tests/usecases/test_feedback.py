"""What a forge shows: one living comment, checks that end, and nothing that is sent twice."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.check import CheckStatus, Conclusion
from bot.domain.errors import TransientError
from bot.domain.run import EngineState, StepProgress
from bot.ports.store import Kind, LeaseLost
from bot.usecases import feedback_loop
from tests.usecases.kit import KEY, Place


def opened(place: Place) -> str:
    place.end(place.run(place.start()))
    sha = place.commit("trees", churn__train_py="print(2)")
    place.look()
    return sha


def wake(place: Place) -> None:
    with place.store.transaction() as tx:
        tx.wake(Kind.FEEDBACK, f"subject:{KEY}#1", now=place.now)


def test_equal_words_are_not_sent_again(place: Place):
    opened(place)
    sent = dict(place.forge.calls)

    wake(place)
    place.converge()

    assert dict(place.forge.calls) == sent


def test_a_wake_up_while_the_words_are_being_sent_does_not_send_them_again(place: Place):
    sha = opened(place)
    place.write_result(place.run(sha))
    place.forge.calls.clear()
    place.forge.before["put_comment"] = lambda: wake(place)

    place.end(place.run(sha))

    assert (place.forge.calls["put_comment"], place.forge.calls["put_check"]) == (1, 1)
    assert "1 gate passed" in place.comment()


def test_two_threads_that_post_at_once_make_one_living_comment(place: Place):
    place.end(place.run(place.start()))
    sha = place.commit("trees", churn__train_py="print(2)")
    claimed = threading.Event()

    def second() -> None:
        claims = place.claims(Kind.FEEDBACK)
        claimed.set()
        for task in place.tasks(Kind.FEEDBACK, claims):
            with suppress(LeaseLost):  # the run may have moved again
                task()

    thread = threading.Thread(target=second)

    def meanwhile() -> None:
        wake(place)
        thread.start()
        assert claimed.wait(20)

    place.forge.before["put_comment"] = meanwhile
    place.look()
    thread.join(20)

    assert place.forge.calls["put_comment"] == 1
    assert sha[:10] in place.comment()


def test_words_that_were_sent_just_before_a_crash_are_found_again(place: Place, monkeypatch):
    place.end(place.run(place.start()))
    sha = place.commit("trees", churn__train_py="print(2)")

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(feedback_loop, "_remember", killed)
        with pytest.raises(KeyboardInterrupt):
            place.look()
    place.now += timedelta(seconds=121)  # the lease ends
    place.look()

    assert place.comment().startswith("<!-- mlops-bot:change -->")
    assert place.checks(sha)["mlops/churn"].status is CheckStatus.IN_PROGRESS


def test_a_forge_that_fails_after_the_checks_does_not_get_the_checks_again(place: Place):
    sha = opened(place)
    place.write_result(place.run(sha))

    def fail() -> None:
        raise TransientError("rate limited", retry_after_s=60)

    place.forge.calls.clear()
    place.forge.before["put_comment"] = fail
    with pytest.raises(TransientError):
        place.end(place.run(sha))
    wake(place)
    place.converge()

    assert place.forge.calls["put_check"] == 1
    assert "1 gate passed" in place.comment()


def test_progress_is_sent_no_more_often_than_the_forge_can_take_and_an_end_at_once(place: Place, monkeypatch):
    monkeypatch.setattr(place.forge, "capabilities", replace(place.forge.capabilities, progress_every_s=10))
    sha = opened(place)
    run = place.run(sha)
    place.later(11)
    place.forge.calls.clear()

    for second, step in ((0, "fetch"), (2, "train"), (2, "evaluate")):
        place.engine.put(run.id, EngineState.RUNNING, steps=(StepProgress(step, "running"),))
        wake(place)
        place.later(second)
    assert place.forge.calls["put_comment"] == 1
    assert "fetch" in place.comment()

    place.later(10)
    assert place.forge.calls["put_comment"] == 2
    assert "evaluate" in place.comment()

    place.end(run)
    assert place.forge.calls["put_comment"] == 3
    assert "1 gate passed" in place.comment()


def test_the_check_of_an_older_head_ends_when_its_run_does(place: Place):
    old = opened(place)
    assert place.checks(old)["mlops/churn"].status is CheckStatus.IN_PROGRESS

    new = place.commit("trees", churn__train_py="print(3)")
    place.look()
    place.later(60)

    check = place.checks(old)["mlops/churn"]
    assert (check.status, check.conclusion) == (CheckStatus.COMPLETED, Conclusion.CANCELED)
    assert place.checks(new)["mlops/churn"].status is CheckStatus.IN_PROGRESS
    feedback = place.store.feedback(f"subject:{KEY}#1")
    assert feedback is not None
    assert [name for name in feedback.shown.checks if name.startswith(old)] == []


def test_the_check_of_an_older_head_ends_though_the_newer_one_is_invalid(place: Place):
    old = opened(place)

    place.commit("trees", mlops_yaml="models: {")
    place.look()
    place.later(60)

    assert place.checks(old)["mlops/churn"].conclusion is Conclusion.CANCELED


def test_a_late_poster_leaves_the_row_to_whoever_woke_it(place: Place):
    opened(place)
    wake(place)
    (claim,) = place.claims(Kind.FEEDBACK)
    (task,) = place.tasks(Kind.FEEDBACK, [claim])
    wake(place)

    with pytest.raises(LeaseLost):
        task()

    assert [claim.id for claim in place.claims(Kind.FEEDBACK)] == [f"subject:{KEY}#1"]


def test_an_answer_is_posted_once_though_its_poster_is_killed(place: Place):
    opened(place)
    post = place.say("/status")
    place.converge(Kind.DELIVERY)
    reply = place.store.reply(f"reply:plain-{post.id}")
    assert reply is not None
    marker = f"<!-- mlops-bot:{reply.id} -->"
    place.forge.put_comment(place.change, marker=marker, body=f"{reply.body}\n\n{marker}", known_id=None)

    place.converge()

    assert place.answer(post).startswith("| Model | State | Run |")


def test_status_tells_where_each_model_stands_in_words_that_say_what_they_mean(place: Place):
    sha = opened(place)
    place.end(place.run(sha), accuracy=0.5)

    post = place.say("/status")
    place.converge()

    assert "| `churn` | 1 of 1 gate missed: accuracy >= 0.9 |" in place.answer(post)
