"""What the gates say of a result."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import UserError
from bot.domain.feedback import Waiver
from bot.domain.gate import Outcome, Verdict, better_when, find_gate, judge, number_text, parse_gate
from tests.domain.examples import PROPERTY

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def judged(*gates: str, metrics, base=None, production=None, waivers=()):
    return judge(
        [parse_gate(text) for text in gates], metrics=metrics, base=base, production=production, waivers=waivers
    )


def waiver(gate: str) -> Waiver:
    return Waiver("plain/models", 1, "churn", gate, "label noise", "alice", NOW, datetime(2026, 12, 24, tzinfo=UTC))


@pytest.mark.parametrize(
    ("gate", "metrics", "base", "outcome", "requirement", "reason"),
    [
        ("auc >= 0.93", {"auc": 0.95}, None, Outcome.PASSED, ">= 0.93", "0.95 >= 0.93"),
        ("auc >= 0.93", {"auc": 0.9}, None, Outcome.FAILED, ">= 0.93", "0.9 is not >= 0.93"),
        ("auc > 0.9", {"auc": 0.9}, None, Outcome.FAILED, "> 0.9", "0.9 is not > 0.9"),
        ("n == 3", {"n": 3.0}, None, Outcome.PASSED, "== 3", "3 == 3"),
        ("auc >= 0.93", {}, None, Outcome.FAILED, ">= 0.93", "not reported (needs >= 0.93)"),
        (
            "auc >= 0.93",
            {"auc": float("nan")},
            None,
            Outcome.FAILED,
            ">= 0.93",
            "nan is not a number to compare",
        ),
        (
            "loss <= 1",
            {"loss": float("-inf")},
            None,
            Outcome.FAILED,
            "<= 1",
            "-inf is not a number to compare",
        ),
        (
            "auc >= base - 0.005",
            {"auc": 0.957},
            {"auc": 0.962},
            Outcome.PASSED,
            ">= 0.957 (base 0.962 - 0.005)",
            "0.957 >= 0.957",
        ),
        (
            "loss < base * 0.9",
            {"loss": 0.5},
            {"loss": 0.5},
            Outcome.FAILED,
            "< 0.45 (base 0.5 * 0.9)",
            "0.5 is not < 0.45",
        ),
        (
            "loss <= base / 2",
            {"loss": 0.2},
            {"loss": 0.5},
            Outcome.PASSED,
            "<= 0.25 (base 0.5 / 2)",
            "0.2 <= 0.25",
        ),
        ("auc > base", {"auc": 0.9}, {"auc": 0.8}, Outcome.PASSED, "> 0.8 (base 0.8)", "0.9 > 0.8"),
        (
            "auc >= base + 0.1",
            {"auc": 0.9},
            None,
            Outcome.NO_INCUMBENT,
            ">= base + 0.1",
            "no incumbent: there is no base result yet",
        ),
        (
            "auc >= base",
            {"auc": 0.9},
            {"f1": 0.8},
            Outcome.NO_INCUMBENT,
            ">= base",
            "no incumbent: the base result has no auc",
        ),
        (
            "auc >= base * 1e300",
            {"auc": 0.9},
            {"auc": 1e300},
            Outcome.FAILED,
            ">= inf (base 1e+300 * 1e+300)",
            "the requirement is too large to be computed",
        ),
        (
            "auc >= 0.93",
            {"auc": 0.9299999},
            None,
            Outcome.FAILED,
            ">= 0.93",
            "0.9299999 is not >= 0.93",
        ),
    ],
)
def test_a_gate_says_what_it_saw_and_what_it_wanted(gate, metrics, base, outcome, requirement, reason):
    judgement = judged(gate, metrics=metrics, base=base)

    (seen,) = judgement.outcomes
    assert (seen.outcome, seen.requirement, seen.reason) == (outcome, requirement, reason)
    assert judgement.verdict is (Verdict.MISSED if outcome is Outcome.FAILED else Verdict.PASSED)


def test_invariant_6_without_gates_nothing_is_passed():
    judgement = judged(metrics={"auc": 1.0})

    assert judgement.verdict is Verdict.EMPTY
    assert judgement.summary == "no gates: nothing was required of this result"


def test_invariant_4_a_result_without_metrics_misses_its_gates_rather_than_being_neutral():
    judgement = judged("auc >= 0.9", "auc >= base", metrics={})

    assert judgement.verdict is Verdict.MISSED
    assert judgement.summary == "2 of 2 gates missed: auc >= 0.9, auc >= base"


def test_a_missing_metric_fails_even_where_there_is_no_incumbent():
    assert judged("auc >= production", metrics={"f1": 1.0}).verdict is Verdict.MISSED


def test_production_and_base_are_told_apart():
    judgement = judged(
        "auc >= production", "auc >= base", metrics={"auc": 0.8}, base={"auc": 0.7}, production={"auc": 0.9}
    )

    assert [outcome.outcome for outcome in judgement.outcomes] == [Outcome.FAILED, Outcome.PASSED]
    assert judgement.summary == "1 of 2 gates missed: auc >= production"


@pytest.mark.parametrize(
    ("production", "requirement", "reason"),
    [
        (None, ">= production - 0.01", "no incumbent: nothing serves in production yet"),
        ({"f1": 0.9}, ">= production - 0.01", "no incumbent: the version in production has no auc"),
        ({"auc": 0.9}, ">= 0.89 (production 0.9 - 0.01)", "0.95 >= 0.89"),
    ],
)
def test_a_gate_on_production_says_what_serves_there(production, requirement, reason):
    (seen,) = judged("auc >= production - 0.01", metrics={"auc": 0.95}, production=production).outcomes

    assert (seen.requirement, seen.reason, seen.passes) == (requirement, reason, True)


def test_the_summary_names_the_day_on_which_the_first_waiver_ends():
    ends_later = replace(waiver("f1 >= 0.9"), expires_at=waiver("f1 >= 0.9").expires_at + timedelta(days=3))
    waivers = [ends_later, waiver("auc >= 0.9")]

    judgement = judged("auc >= 0.9", "f1 >= 0.9", metrics={"auc": 0.8, "f1": 0.8}, waivers=waivers)

    assert judgement.summary == "2 gates passed, 2 by a waiver until 2026-12-24"
    assert [outcome.waiver for outcome in judgement.outcomes] == [waivers[1], waivers[0]]


def test_a_waiver_lets_its_own_gate_be_missed_and_is_shown():
    judgement = judged("auc>=0.9", "f1 >= 0.5", metrics={"auc": 0.8, "f1": 0.6}, waivers=[waiver("auc >= 0.9")])

    assert judgement.verdict is Verdict.WAIVED
    assert judgement.outcomes[0].outcome is Outcome.WAIVED
    assert judgement.outcomes[0].reason == "0.8 is not >= 0.9; waived by alice until 2026-12-24: label noise"
    assert judgement.outcomes[1].outcome is Outcome.PASSED
    assert judgement.summary == "2 gates passed, 1 by a waiver until 2026-12-24"


def test_a_waiver_of_another_gate_changes_nothing():
    assert judged("auc >= 0.95", metrics={"auc": 0.8}, waivers=[waiver("auc >= 0.9")]).verdict is Verdict.MISSED


def test_a_gate_without_an_incumbent_passes_and_the_summary_says_so():
    judgement = judged("auc >= base", metrics={"auc": 0.8})

    assert judgement.verdict is Verdict.PASSED
    assert judgement.summary == "1 gate passed, 1 without an incumbent"


@pytest.mark.parametrize("written", ["auc", "auc >= 0.9", "auc>=0.9"])
def test_a_gate_is_found_by_its_text_or_its_metric(written):
    gates = [parse_gate("auc >= 0.9"), parse_gate("f1 >= 0.5")]

    assert find_gate(gates, written) is gates[0]


@pytest.mark.parametrize(
    ("gates", "written", "problem", "fix"),
    [
        (
            ["auc >= 0.9", "auc >= base"],
            "auc",
            "`auc` has 2 gates.",
            "Write one of them, in quotes: `auc >= 0.9` and `auc >= base`.",
        ),
        (["auc >= 0.9"], "aux", "There is no gate `aux`.", "Did you mean `auc`? The gates are `auc >= 0.9`."),
        ([], "auc", "There are no gates to override.", ""),
    ],
)
def test_a_gate_that_is_not_there_is_answered_with_those_that_are(gates, written, problem, fix):
    with pytest.raises(UserError) as caught:
        find_gate([parse_gate(text) for text in gates], written)

    assert (caught.value.problem, caught.value.fix) == (problem, fix)


@pytest.mark.parametrize(
    ("metric", "gates", "direction"),
    [
        ("churn_score", ["churn_score >= 1"], "higher"),
        ("accuracy", ["accuracy <= 0.99"], "lower"),
        ("auc", ["auc >= 0.9", "auc <= 0.99"], None),
        ("val/loss", [], "lower"),
        ("log_loss", [], "lower"),
        ("neg_log_loss", [], "higher"),
        ("neg_mean_squared_error", [], "higher"),
        ("precision@10", [], "higher"),
        ("RMSE", [], "lower"),
        ("rows", [], None),
        ("", [], None),
    ],
)
def test_better_is_what_the_gates_say_else_what_the_name_says(metric, gates, direction):
    assert better_when(metric, [parse_gate(text) for text in gates]) == direction


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.93, "0.93"), (200.0, "200"), (1 / 3, "0.333333"), (1.5e-7, "1.5e-07"), (1e20, "1e+20"), (float("nan"), "nan")],
)
def test_numbers_are_written_as_people_write_them(number, text):
    assert number_text(number) == text


ANY_METRICS = st.dictionaries(st.sampled_from(["auc", "loss", "n"]), st.floats())
GATES = st.builds(
    "{} {} {}".format,
    st.sampled_from(["auc", "loss", "n"]),
    st.sampled_from([">=", ">", "<=", "<", "=="]),
    st.sampled_from(["0.5", "base", "production - 1", "base * 1e308", "base / 1e-308", "base + 3"]),
)


@PROPERTY
@given(gates=st.lists(GATES, max_size=5), metrics=ANY_METRICS, base=st.none() | ANY_METRICS, production=ANY_METRICS)
def test_whatever_was_measured_there_is_a_verdict_with_a_reason_for_each_gate(gates, metrics, base, production):
    judgement = judged(*gates, metrics=metrics, base=base, production=production)

    failed = [outcome for outcome in judgement.outcomes if outcome.outcome is Outcome.FAILED]
    assert len(judgement.outcomes) == len(gates)
    assert all(outcome.reason and outcome.requirement for outcome in judgement.outcomes)
    assert (judgement.verdict is Verdict.MISSED) == bool(failed)
    assert (judgement.verdict is Verdict.EMPTY) == (not gates)
