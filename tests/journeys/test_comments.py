"""Commands in comments, from the words to the answer."""

from __future__ import annotations

import pytest

from bot.demo.progress import follow_runs
from bot.domain.run import Phase
from tests.journeys.test_push import push_change, push_main
from tests.journeys.workplace import Running, Workplace


@pytest.fixture
def change(place: Workplace, running: Running) -> str:
    """The head of change 1, trained."""
    push_main(place, running)
    sha = push_change(place, "0.5")
    running.ended(sha)
    return sha


def test_train_with_a_param_runs_the_head_with_that_value_and_says_to_what_it_is_pinned(change: str, running: Running):
    answer = running.say(1, "/train threshold=0.45")

    run = running.ended(change, count=2)
    assert run.params == {"threshold": 0.45}
    assert run.result is not None
    assert run.result.metrics["accuracy"].value == pytest.approx(0.95)
    assert run.id in answer
    assert change[:10] in answer
    assert run.id in running.comment(1, run.id)


def test_an_equal_order_is_answered_with_the_run_that_did_it_unless_forced(change: str, running: Running):
    first = running.ended(change)

    answer = running.say(1, "/train")
    assert f"reused run [`{first.id}`]" in answer
    forced = running.say(1, "/train --force")
    again = running.ended(change, count=3)
    assert again.id in forced
    assert again.phase is Phase.SUCCEEDED
    assert again.id != first.id


def test_a_param_that_does_not_exist_is_answered_with_the_nearest_one(change: str, running: Running):
    answer = running.say(1, "/train treshold=0.45")

    assert "`threshold`" in answer
    assert len(running.runs(change)) == 1
    assert running.reaction_on("/train treshold") == ("-1",)


def test_a_value_out_of_bounds_is_refused_with_its_bounds(change: str, running: Running):
    answer = running.say(1, "/train threshold=2")

    assert "threshold" in answer
    assert "1" in answer
    assert len(running.runs(change)) == 1


def test_a_model_that_does_not_exist_is_answered_with_the_nearest_one(change: str, running: Running):
    answer = running.say(1, "/train chrun")

    assert "`churn`" in answer
    assert len(running.runs(change)) == 1


def test_evaluate_measures_the_trained_model_again_without_training(change: str, running: Running):
    running.say(1, "/evaluate")

    run = running.ended(change, count=2)
    assert run.pipeline == "evaluate"
    assert run.phase is Phase.SUCCEEDED
    assert run.result is not None
    assert "train" not in [step.name for step in run.result.steps]
    assert run.result.metrics["accuracy"].value == 1.0


def test_cancel_ends_what_is_running_and_retry_runs_it_again(place: Workplace, running: Running):
    push_main(place, running)
    place.git("checkout", "--quiet", "-B", "slow")
    place.write("churn/train.py", "import time\ntime.sleep(600)\n")
    slow = place.commit("Train for ten minutes")
    place.push("slow")
    running.wait_for("the start", lambda: any(run.phase is Phase.RUNNING for run in running.runs(slow)))

    assert "Ending `churn`" in running.say(1, "/cancel")
    canceled = running.ended(slow)
    assert canceled.phase is Phase.CANCELED
    assert canceled.cancel_requested_by == "ada"
    assert "canceled by ada" in running.comment(1, "canceled by")

    running.say(1, "/retry")
    running.wait_for("the new run", lambda: any(run.phase is Phase.RUNNING for run in running.runs(slow)[:1]))
    running.say(1, "/cancel churn")
    assert running.ended(slow, count=2).phase is Phase.CANCELED

    again = running.service.bot.rerun(canceled.id, "ada")  # the button of the run's page, which then shows the new run
    assert running.runs(slow)[0].id == again
    running.say(1, "/cancel")
    assert running.ended(slow, count=3).id == again


def test_the_demo_follows_what_a_push_ordered_not_what_was_tried_on_it(change: str, running: Running):
    ordered = running.ended(change)
    running.say(1, "/train threshold=0.45")
    running.ended(change, count=2)

    told: list[str] = []
    runs = follow_runs(running.service, running.repository, change, ["churn"], say=told.append, timeout_s=10)
    assert runs == {"churn": ordered}
    (line,) = told  # the steps were told by the demo that saw them
    assert line.split()[:3] == ["churn", "succeeded:", "accuracy"]


def test_override_lets_a_gate_be_missed_and_the_report_says_who_allowed_it(place: Workplace, running: Running):
    push_main(place, running)
    sha = push_change(place, "0.71")
    running.ended(sha)
    assert "missed" in running.comment(1, "missed")

    running.say(1, '/override "accuracy >= 0.8" known label noise')
    running.say(1, '/override "accuracy >= base - 0.05" known label noise')

    comment = running.comment(1, "known label noise")
    assert "ada" in comment
    running.wait_for("the waived check", lambda: running.checks(sha)[0].conclusion == "success")


def test_status_help_and_deploy_are_answered(change: str, running: Running):
    assert "`churn`" in running.say(1, "/status")
    assert "`/train [model]" in running.say(1, "/help")
    assert "Add `deploy:` to the model" in running.say(1, "/deploy staging")


def test_several_lines_are_carried_out_in_order_and_answered_together(change: str, running: Running):
    answer = running.say(1, "Two tries:\n\n/train threshold=0.45\n/train threshold=0.55\n\nThanks!")

    runs = running.ended(change, count=3) and running.runs(change)
    assert sorted(run.params["threshold"] for run in runs) == [0.45, 0.5, 0.55]
    assert answer.count("`churn`: train") == 2


def test_words_that_are_not_for_us_stay_unanswered(change: str, running: Running):
    running.say_quietly(1, "I would /train it\n\n```\n/train\n```\n\n> /train\n\n/shrug")
    running.say(1, "/status")  # answered after the words above were read

    assert len(running.runs(change)) == 1
    assert running.reaction_on("I would") == ()


def test_a_command_on_a_closed_change_is_refused(place: Workplace, change: str, running: Running):
    place.git("push", "--quiet", "origin", ":refs/heads/better")
    running.wait_for("the closed change", lambda: running.change(1).state != "open")

    assert "This change is closed" in running.say(1, "/train")
