"""How a result differs from the incumbent's."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.gate import parse_gate
from bot.domain.report_diff import (
    ColumnShift,
    DataDiff,
    MetricLine,
    MissingChange,
    ParamChange,
    Trend,
    compare_data,
    compare_metrics,
    compare_params,
)
from bot.domain.report_words import shown_bytes, shown_delta, shown_duration, shown_number, shown_value
from bot.domain.result import ColumnSummary, DataSummary, Metric, Result

WAS = DataSummary(
    "plain/datasets",
    "1" * 40,
    "d.csv",
    "md5:1",
    1,
    1000,
    100,
    (ColumnSummary("age", 0, 40.0, 10.0), ColumnSummary("fixed", 0, 1.0, 0.0), ColumnSummary("city", 2)),
)


def result(**params: object) -> Result:
    return Result("r", "k", "train", "v", "plain/m", "s", "m", "succeeded", params=params, split={"seed": 7})


def test_metrics_that_gates_ask_for_come_first() -> None:
    gates = [parse_gate("rmse <= 3"), parse_gate("absent > 0"), parse_gate("rmse <= base")]
    now = {"a": Metric(1.0), "rmse": Metric(2.0)}

    assert [line.name for line in compare_metrics(now, None, gates)] == ["rmse", "a"]


@pytest.mark.parametrize(
    ("name", "now", "base", "gate", "trend"),
    [
        ("rmse", 2.0, 3.0, None, Trend.BETTER),
        ("accuracy", 0.8, 0.9, None, Trend.WORSE),
        ("accuracy", 0.9, 0.9 + 1e-13, None, Trend.SAME),
        ("rows", 2.0, 3.0, None, Trend.CHANGED),
        ("rows", 2.0, 3.0, "rows >= 1", Trend.WORSE),
        ("accuracy", 0.8, 0.9, "accuracy <= 1", Trend.BETTER),  # the gate knows better than the name
    ],
)
def test_better_and_worse_follow_the_gates_then_well_known_names(
    name: str, now: float, base: float, gate: str | None, trend: Trend
) -> None:
    gates = [parse_gate(gate)] if gate else []

    [line] = compare_metrics({name: Metric(now)}, {name: Metric(base)}, gates)

    assert line == MetricLine(name, Metric(now), Metric(base), now - base, trend)


@pytest.mark.parametrize(
    ("std", "base_std", "within"), [(None, None, False), (0.02, None, True), (0.005, None, False), (0.008, 0.008, True)]
)
def test_a_difference_within_the_scatter_is_called_so(std: float | None, base_std: float | None, within: bool) -> None:
    [line] = compare_metrics({"auc": Metric(0.91, std)}, {"auc": Metric(0.9, base_std)}, [])

    assert line.within_std is within


def test_a_metric_that_only_one_side_has_is_compared_with_nothing() -> None:
    lines = compare_metrics({"new": Metric(1.0)}, {"old": Metric(2.0)}, [])

    assert lines == (MetricLine("new", Metric(1.0), None), MetricLine("old", None, Metric(2.0)))


def test_params_differ_by_value_and_presence() -> None:
    now = replace(result(depth=6, trees=200, added=None), split={"seed": 8})

    assert compare_params(now, result(depth=6, trees=40, gone=[1])) == (
        ParamChange("added", None, (None,)),
        ParamChange("gone", ([1],), None),
        ParamChange("trees", (40,), (200,)),
        ParamChange("split.seed", (7,), (8,)),
    )


def test_data_differs_in_columns_means_and_missing_values() -> None:
    now = replace(
        WAS,
        digest="md5:2",
        rows=200,
        columns=(
            ColumnSummary("age", 10, 45.0, 10.0),
            ColumnSummary("fixed", 0, 2.0, 0.0),
            ColumnSummary("income", 0, 5.0, 1.0),
        ),
    )

    assert compare_data(now, WAS) == DataDiff(
        was=WAS,
        now=now,
        added=("income",),
        removed=("city",),
        shifts=(ColumnShift("fixed", 1.0, 2.0, math.inf), ColumnShift("age", 40.0, 45.0, 0.5)),
        missing=(MissingChange("age", 0.0, 0.05),),
    )


def test_a_shift_below_a_tenth_of_a_standard_deviation_is_not_one() -> None:
    now = replace(WAS, digest="md5:2", columns=(ColumnSummary("age", 0, 40.9, 10.0),))

    shown = compare_data(now, WAS)

    assert shown is not None
    assert (shown.shifts, shown.is_same) == ((), False)


def test_equal_data_differs_in_nothing() -> None:
    shown = compare_data(WAS, replace(WAS, sha="2" * 40))

    assert shown == DataDiff(replace(WAS, sha="2" * 40), WAS)
    assert shown.is_same


def test_a_side_without_data_is_compared_with_nothing() -> None:
    assert compare_data(None, WAS) is None
    assert compare_data(WAS, None) is None


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE, FINITE, FINITE, FINITE)
def test_no_numbers_break_a_comparison(a: float, b: float, c: float, d: float) -> None:
    columns = ColumnSummary("x", 0, a, abs(c)), ColumnSummary("x", 0, b, abs(d))
    now, was = (replace(WAS, digest=str(i), columns=(column,)) for i, column in enumerate(columns))

    shown = compare_data(now, was)
    [line] = compare_metrics({"m": Metric(a, c)}, {"m": Metric(b, d)}, [])

    assert shown is not None
    assert all(shift.size >= 0.1 for shift in shown.shifts)
    assert line.trend is not None
    assert shown_number(a)
    assert shown_delta(a, b)


@pytest.mark.parametrize(
    ("now", "base", "shown"),
    [
        (0.958, 0.944, "+0.014 (+1.5 %)"),
        (58.0, 61.0, "−3 (−4.9 %)"),
        (5.0, 0.0, "+5"),
        (0.5, 0.5, "0"),
        (1e6, 1.0, "+999999"),
        (0.90001, 0.9, "+1e-05"),
        (-1.0, -2.0, "+1 (+50.0 %)"),
    ],
)
def test_a_difference_has_its_sign_and_percent_where_that_helps(now: float, base: float, shown: str) -> None:
    assert shown_delta(now, base) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.958042, "0.95804"), (200.0, "200"), (31240.54, "31240.5"), (1.5e-7, "1.5e-07"), (1e300, "1e+300")],
)
def test_numbers_are_shown_as_people_write_them(value: float, shown: str) -> None:
    assert shown_number(value) == shown


def test_times_sizes_and_values_are_short() -> None:
    assert [shown_duration(s) for s in (None, 0.04, 9.96, 61, 7500)] == ["", "0.0 s", "10 s", "1 min 1 s", "2 h 5 min"]
    assert [shown_bytes(size) for size in (None, 512, 1536, 5 * 2**30)] == ["", "512 B", "1.5 KiB", "5.0 GiB"]
    assert [shown_value(v) for v in ("text", True, None, [1, "a"])] == ["text", "true", "null", '[1, "a"]']
    assert shown_value("x" * 100, limit=5) == "xxxx…"
