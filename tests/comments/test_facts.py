"""The small sentences of a model's section."""

from __future__ import annotations

from dataclasses import replace

from bot.comments.facts import change_facts
from bot.comments.render import render_comment
from bot.domain.result import Failure, FailureKind, Result
from bot.domain.run import Phase
from tests.comments.report_samples import good_result, report, state


def facts_of(result: Result, phase: Phase = Phase.SUCCEEDED) -> list[str]:
    return [str(fact) for fact in change_facts(report(state(phase, replace(result, params={}))).models[0])]


def test_a_run_that_failed_before_it_had_its_data_tells_nothing_about_the_data() -> None:
    without = replace(good_result(), data=None)
    failure = Failure("fetch", FailureKind.DATA, "There is no data `churm.csv`.")
    failed = replace(without, state="failed", failure=failure)

    assert "data no longer used" in facts_of(without)
    assert "data no longer used" not in facts_of(failed, Phase.FAILED)


def test_such_a_run_is_not_said_to_have_had_the_same_data() -> None:
    failure = Failure("fetch", FailureKind.DATA, "There is no data `churm.csv`.")
    params = {"criterion": "gini", "max_depth": 6, "n_estimators": 40}  # those of the base
    failed = replace(good_result(), params=params, data=None, state="failed", failure=failure)
    comment = render_comment(report(state(Phase.FAILED, failed)), limit=65_536)

    assert "Same params as `main`." in comment


def test_a_step_that_a_signal_ended_is_shown_with_the_signals_name() -> None:
    canceled = replace(good_result().steps[1], state="canceled", exit_code=-15)
    comment = render_comment(report(state(Phase.CANCELED, replace(good_result(), steps=(canceled,)))), limit=65_536)

    assert "– canceled (ended by SIGTERM)" in comment
