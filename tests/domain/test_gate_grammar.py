"""Gates as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import UserError
from bot.domain.gate import Gate, GateSyntaxError, Incumbent, caret_under, parse_gate
from tests.domain.examples import HOSTILE_TEXT, PROPERTY


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("accuracy >= 0.93", Gate("accuracy >= 0.93", "accuracy", ">=", 0.93)),
        ("  loss<1e-3 ", Gate("loss<1e-3", "loss", "<", 0.001)),
        ("bias > -.5", Gate("bias > -.5", "bias", ">", -0.5)),
        ("n == 3", Gate("n == 3", "n", "==", 3.0)),
        ("f1_macro > base", Gate("f1_macro > base", "f1_macro", ">", 0.0, Incumbent.BASE)),
        ("val/loss <= base * 1.1", Gate("val/loss <= base * 1.1", "val/loss", "<=", 1.1, Incumbent.BASE, "*")),
        ("p@10>=production-0.005", Gate("p@10>=production-0.005", "p@10", ">=", 0.005, Incumbent.PRODUCTION, "-")),
        ("top-5.acc >= base / 2", Gate("top-5.acc >= base / 2", "top-5.acc", ">=", 2.0, Incumbent.BASE, "/")),
        ("auc >= base − 0.1", Gate("auc >= base − 0.1", "auc", ">=", 0.1, Incumbent.BASE, "-")),
    ],
)
def test_a_gate_compares_a_metric_with_a_number_or_an_incumbent(text, gate):
    assert parse_gate(text) == gate


@pytest.mark.parametrize(
    ("text", "column", "problem", "fix"),
    [
        ("acc >= prod", 7, "`prod` is neither a number nor `base` or `production`.", "Write `production`."),
        ("acc >= Base", 7, "`Base` is neither a number nor `base` or `production`.", "Write `base`."),
        (
            "acc >= high",
            7,
            "`high` is neither a number nor `base` or `production`.",
            "Write a number, `base` or `production`.",
        ),
        ("acc => 0.9", 4, "`=>` is not a comparison.", "Write `>=`."),
        ("acc = 0.9", 4, "`=` is not a comparison.", "Write `==`."),
        ("acc ≥ 0.9", 4, "`≥` is not a comparison.", "Write `>=`."),
        ("acc != 0.9", 4, "`!=` is not a comparison.", "Write one of `>=`, `>`, `<=`, `<`, `==`."),
        (
            "acc >= 95%",
            7,
            "`95%` may mean 0.95 or 95.",
            "Write `0.95`, or `95` if the metric is reported in percent.",
        ),
        ("acc >= base / 0.0", 14, "division by zero.", "Divide by another number."),
        ("acc >= 1e999", 7, "`1e999` is too large.", "Write a number below 1e308."),
        (
            "acc",
            3,
            "expected one of `>=`, `>`, `<=`, `<`, `==`, found the end.",
            "Write `metric >= 0.93`, or `metric >= production - 0.005`.",
        ),
        (
            "0.9 <= acc",
            0,
            "expected the name of a metric, found `0.9 <= acc`.",
            "Write `metric >= 0.93`, or `metric >= production - 0.005`.",
        ),
        (
            "acc >= 0.9 + 1",
            11,
            "`+ 1` follows after the number, and only `base` and `production` take `+ - * /`.",
            "Write `metric >= 0.93`, or `metric >= production - 0.005`.",
        ),
        (
            "acc >= base - 1 - 1",
            16,
            "`- 1` follows after the number: one operation is all that a gate can do.",
            "Write `metric >= 0.93`, or `metric >= production - 0.005`.",
        ),
    ],
)
def test_what_is_not_a_gate_is_named_with_its_place_and_the_fix(text, column, problem, fix):
    with pytest.raises(GateSyntaxError) as caught:
        parse_gate(text)

    error = caught.value
    assert isinstance(error, UserError)
    assert error.column == column
    assert error.problem == f"gate `{text}`, character {column + 1}: {problem}"
    assert error.fix == fix
    assert error.caret == f"{text}\n{' ' * column}^"


def test_a_caret_stands_under_its_character_whatever_the_text_holds():
    assert caret_under("acc\t>= `x`", 7) == "acc >= 'x'\n       ^"


def test_a_gate_of_megabytes_is_refused_at_once():
    with pytest.raises(GateSyntaxError, match="longer than 200 characters"):
        parse_gate("a >= " + "1" * 2_000_000)


@PROPERTY
@given(HOSTILE_TEXT)
def test_no_text_crashes_the_grammar(text):
    outcome = gate_or_error(text)

    if isinstance(outcome, Gate):
        assert parse_gate(outcome.text) == outcome
    else:
        assert 0 <= outcome.column <= len(text)
        assert outcome.fix
        assert "\n" not in outcome.problem


def gate_or_error(text: str) -> Gate | GateSyntaxError:
    try:
        return parse_gate(text)
    except GateSyntaxError as error:
        return error


@PROPERTY
@given(
    metric=st.from_regex(r"[A-Za-z_][A-Za-z0-9_.@/-]{0,20}", fullmatch=True),
    op=st.sampled_from([">=", ">", "<=", "<", "=="]),
    incumbent=st.sampled_from(["", "base", "production"]),
    arithmetic=st.sampled_from("+-*/"),
    number=st.floats(allow_nan=False, allow_infinity=False).filter(bool),
)
def test_every_gate_that_is_written_by_the_grammar_is_read_back(metric, op, incumbent, arithmetic, number):
    right = f"{incumbent} {arithmetic} {number!r}" if incumbent else repr(number)

    gate = parse_gate(f"{metric} {op} {right}")

    assert (gate.metric, gate.op, gate.number) == (metric, op, number)
    assert (gate.incumbent or "", gate.arithmetic) == ((incumbent, arithmetic) if incumbent else ("", ""))
