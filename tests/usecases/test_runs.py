"""How a run gets from queued to its end, whatever comes in between."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from bot.domain.errors import UserError
from bot.domain.result import Failure, FailureKind
from bot.domain.run import EngineState, Phase
from bot.ports.store import Kind, LeaseLost
from bot.usecases import run_loop
from bot.usecases.run_loop import give_up
from tests.usecases.kit import Place


def test_a_run_is_submitted_once_and_ends_with_what_it_left(place: Place):
    sha = place.start()
    run = place.run(sha)

    assert (run.phase, list(place.engine.submissions)) == (Phase.RUNNING, [run.id])
    place.end(run, accuracy=0.97)

    ended = place.run(sha)
    assert ended.phase is Phase.SUCCEEDED
    assert ended.result is not None
    assert ended.result.metrics["accuracy"].value == 0.97
    assert place.checks(sha)["mlops/churn"].title == "1 gate passed"


def test_a_run_that_was_submitted_just_before_a_crash_is_followed_and_not_started_again(place: Place):
    sha = place.start()
    run = place.run(sha)
    with place.store.transaction() as tx:  # as if the service had been killed before it wrote RUNNING
        tx.save_run(replace(run, phase=Phase.STARTING))
        tx.wake(Kind.RUN, run.id, now=place.now)

    place.converge()

    assert place.run(sha).phase is Phase.RUNNING
    assert len(place.engine.submissions) == 1


def test_a_run_that_is_canceled_while_it_is_queued_never_starts(narrow: Place):
    narrow.start()
    sha = narrow.commit("more", churn__train_py="print(2)")
    narrow.look()
    queued = narrow.run(sha)
    assert queued.phase is Phase.QUEUED

    with narrow.store.transaction() as tx:
        tx.request_cancel(queued.id, by="ada", superseded_by=None, now=narrow.now)
    narrow.converge()

    assert narrow.run(sha).phase is Phase.CANCELED
    assert queued.id not in narrow.engine.submissions


def test_a_cancel_between_the_intent_and_the_start_ends_the_run_without_starting_it(place: Place):
    sha = place.start()
    run = place.run(sha)
    place.engine.forget(run.id)
    with place.store.transaction() as tx:
        tx.save_run(replace(run, phase=Phase.STARTING))
        tx.request_cancel(run.id, by="ada", superseded_by=None, now=place.now)

    place.converge()

    assert place.run(sha).phase is Phase.CANCELED
    assert len(place.engine.submissions) == 1


def test_a_cancel_that_comes_while_the_run_is_being_submitted_is_carried_out_next(place: Place):
    place.forge.repositories()
    sha = place.start()
    run = place.run(sha)
    with place.store.transaction() as tx:
        tx.save_run(replace(run, phase=Phase.STARTING))
        tx.wake(Kind.RUN, run.id, now=place.now)
    (claim,) = place.claims(Kind.RUN)
    (task,) = place.tasks(Kind.RUN, [claim])
    with place.store.transaction() as tx:
        tx.request_cancel(run.id, by="ada", superseded_by=None, now=place.now)

    with pytest.raises(LeaseLost):
        task()
    place.converge(Kind.RUN)
    place.later(3)

    assert place.run(sha).phase is Phase.CANCELED
    assert place.run(sha).cancel_requested_by == "ada"


def test_the_oldest_queued_run_gets_the_place_that_becomes_free(narrow: Place):
    first = narrow.start()
    second = narrow.commit("two", churn__train_py="print(2)")
    narrow.look()
    narrow.now = narrow.now.replace(second=1)
    third = narrow.commit("three", churn__train_py="print(3)")
    narrow.look()
    assert [narrow.run(sha).phase for sha in (second, third)] == [Phase.QUEUED, Phase.QUEUED]
    assert narrow.checks(third)["mlops/churn"].title == "Queued, place 2"

    narrow.end(narrow.run(first))

    assert [narrow.run(sha).phase for sha in (second, third)] == [Phase.RUNNING, Phase.QUEUED]
    assert narrow.checks(third)["mlops/churn"].title == "Queued, place 1"


def test_a_run_that_waits_for_an_equal_one_keeps_nobody_from_a_free_place(tmp_path):
    place = Place(tmp_path, places=2)
    place.start("churn", "fraud")
    churn, fraud = sorted(place.runs(), key=lambda run: run.model)
    place.end(fraud)
    place.end(churn)

    running = place.commit("a", churn__train_py="print(2)")
    place.look()
    same = place.commit("b", churn__train_py="print(2)")
    place.look()
    other = place.commit("c", fraud__train_py="print(2)")
    place.look()

    assert place.run(running).phase is Phase.RUNNING
    assert (place.run(same).phase, place.run(same).key) == (Phase.QUEUED, place.run(running).key)
    assert place.run(other).phase is Phase.RUNNING

    place.end(place.run(running))
    assert place.run(same).phase is Phase.REUSED
    assert place.run(same).reused_run == place.run(running).id
    place.close()


def test_an_equal_run_starts_in_the_stead_of_one_that_failed(place: Place):
    place.start()
    first = place.commit("a", churn__train_py="print(2)")
    place.look()
    second = place.commit("b", churn__train_py="print(2)")
    place.look()
    assert place.run(second).phase is Phase.QUEUED

    place.end(place.run(first), failure=Failure("train", FailureKind.EXIT, "ended with 1"))

    assert place.run(first).phase is Phase.FAILED
    assert place.run(second).phase is Phase.RUNNING


def test_a_result_whose_files_are_gone_is_not_reused(place: Place):
    first = place.start()
    place.end(place.run(first))
    shutil.rmtree(place.artifacts_folder / "runs" / place.run(first).id)

    place.commit("again", README="words")
    place.look()
    post = place.say("/train churn")
    place.converge()

    assert "reused" not in place.answer(post)
    assert len(place.engine.submissions) == 2


def test_a_run_that_the_engine_calls_done_but_left_no_result_is_failed_and_says_so(place: Place):
    sha = place.start()
    run = place.run(sha)

    place.engine.put(run.id, EngineState.SUCCEEDED)
    place.wake(run)

    ended = place.run(sha)
    assert ended.phase is Phase.FAILED
    assert ended.result is not None
    assert ended.result.failure == Failure(
        "report",
        FailureKind.INTERNAL,
        "The run ended well, but its result.json is gone.",
        "Write `/retry` to run it again.",
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "result.json is not JSON"),
        (b'{"run_id": 7}', "result.json does not have the expected shape"),
    ],
)
def test_a_result_that_can_not_be_read_fails_the_run_and_says_why(content: bytes, words: str, place: Place):
    sha = place.start()
    run = place.run(sha)
    place.artifacts.write(run.id, "result.json", content)

    place.engine.put(run.id, EngineState.SUCCEEDED)
    place.wake(run)

    ended = place.run(sha)
    assert ended.result is not None
    assert ended.result.failure is not None
    assert (ended.phase, ended.result.failure.step) == (Phase.FAILED, "report")
    assert ended.result.failure.message.startswith(words)


def test_a_result_of_another_run_is_not_believed(place: Place):
    sha = place.start()
    run = place.run(sha)

    place.end(run, run_id="run-0123456789abcdef")

    ended = place.run(sha)
    assert ended.phase is Phase.FAILED
    assert ended.result is not None
    assert ended.result.failure is not None
    assert ended.result.failure.message.startswith("result.json is not of this run: it names `run-0123456789abcdef`")


def test_why_a_run_was_stopped_is_said_in_the_engines_words(place: Place):
    sha = place.start()
    run = place.run(sha)
    place.write_result(run, failure=Failure("train", FailureKind.CANCELED, "The run was canceled."), state="canceled")

    place.engine.put(run.id, EngineState.FAILED, reason="The run took longer than the 60 s that it may take.")
    place.wake(run)

    ended = place.run(sha)
    assert ended.phase is Phase.FAILED
    assert ended.result is not None
    assert ended.result.failure is not None
    assert ended.result.failure.message == "The run took longer than the 60 s that it may take."
    assert "took longer than the 60 s" in place.checks(sha)["mlops/churn"].title


def test_a_run_that_the_engine_lost_is_failed_with_a_word(place: Place):
    sha = place.start()
    run = place.run(sha)

    place.engine.forget(run.id)
    place.wake(run)

    ended = place.run(sha)
    assert ended.result is not None
    assert ended.result.failure is not None
    assert (ended.phase, ended.result.failure.kind) == (Phase.FAILED, FailureKind.LOST)
    assert ended.result.failure.message == "The engine no longer knows this run."


def test_a_submission_that_the_engine_refuses_fails_the_run_with_its_words(place: Place, monkeypatch):
    def refuse(_submission: object) -> None:
        raise UserError("The settings take 200,000 bytes.", "Move them into a file.")

    monkeypatch.setattr(place.engine, "submit", refuse)
    sha = place.start()

    ended = place.run(sha)
    assert ended.result is not None
    assert ended.phase is Phase.FAILED
    assert ended.result.failure == Failure(
        "engine", FailureKind.COMMAND, "The settings take 200,000 bytes.", "Move them into a file."
    )


def test_a_run_that_fails_to_converge_too_often_ends_with_a_word_to_its_author(place: Place):
    sha = place.start()
    run = place.run(sha)
    with place.store.transaction() as tx:
        tx.wake(Kind.RUN, run.id, now=place.now)
    (claim,) = place.claims(Kind.RUN)

    give_up(claim, "KeyError: 'x'", place.world)
    place.converge()

    assert place.run(sha).phase is Phase.FAILED
    assert place.engine.asked_to_cancel == [run.id]
    assert "mlops-bot could not drive this run" in place.checks(sha)["mlops/churn"].title
    assert "This is not your fault." in place.checks(sha)["mlops/churn"].summary


def test_a_parked_run_that_nobody_woke_is_looked_at_when_the_queue_is(narrow: Place):
    first = narrow.start()
    second = narrow.commit("two", churn__train_py="print(2)")
    narrow.look()
    with narrow.store.transaction() as tx:  # it ended, and the hint was lost
        tx.save_run(replace(narrow.run(first), phase=Phase.FAILED))

    run_loop.wake_queue(narrow.world)
    narrow.converge()

    assert narrow.run(second).phase is Phase.RUNNING
