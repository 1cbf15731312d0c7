"""The step `smoke-test`: what the served model must say of the golden rows."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from bot.domain.result import FailureKind
from tests.pipelines.deploy_kit import Deploy, states
from tests.pipelines.kit import failure_of


def test_predictions_that_differ_are_named_row_by_row(deploy: Deploy):
    deploy.server.predict = lambda rows: [sum(row) + (1 if row[0] > 1 else 0) for row in rows]

    result = deploy.run()

    failure = failure_of(result)
    assert (failure.step, failure.kind) == ("smoke-test", FailureKind.SMOKE_TEST)
    assert failure.message == (
        "The served model predicts otherwise than in evaluation, for 2 of 3 golden rows: "
        "row 2: 8.0 instead of 7; row 3: 12.0 instead of 11."
    )
    assert deploy.bot.asked == ["apply"]
    assert states(result)["promote"] == "skipped"


def test_only_the_first_rows_that_differ_are_shown(deploy: Deploy):
    deploy.keep_golden({"inputs": [[1]] * 100, "predictions": ["x" * 1000] * 100})
    deploy.server.predict = lambda rows: ["no"] * len(rows)

    message = failure_of(deploy.run()).message

    assert message.startswith(
        "The served model predicts otherwise than in evaluation, for 100 of 100 golden rows: row 1: "
    )
    assert message.endswith("xxx…; and 97 more.")
    assert len(message) < 600


EQUAL: list[tuple[list[Any], list[Any]]] = [
    ([1, 0], [1.0, 0]),
    ([0.1, 2.5e8], [0.1 + 1e-9, 2.5e8 + 1]),
    ([0.0], [1e-12]),
    (["cat", "dog"], ["cat", "dog"]),
    ([True, False], [True, False]),
    ([[0.25, 0.75], [1, 0]], [[0.25, 0.75], [1, 0]]),
    ([[3.5], [4.5]], [3.5, 4.5]),
]
DIFFERENT: list[tuple[list[Any], list[Any], str]] = [
    ([10**9, 0], [10**9 + 1, 0], "row 1: 1000000001 instead of 1000000000"),
    ([0.1, 0.2], [0.1, 0.20001], "row 2: 0.20001 instead of 0.2"),
    (["1", "2"], [1, 2], "row 1: 1 instead of '1'; row 2: 2 instead of '2'"),
    ([1, 2], [None, 2], "row 1: None instead of 1"),
    ([0.5], [float("nan")], "row 1: nan instead of 0.5"),
    ([[1, 0], [0, 1]], [[1, 0], [1, 0]], "row 2: [1, 0] instead of [0, 1]"),
    ([1, 2], [[1, 0], [2, 0]], "row 1: [1, 0] instead of 1; row 2: [2, 0] instead of 2"),
]


def tried(deploy: Deploy, expected: list[Any], served: list[Any]) -> str:
    deploy.keep_golden({"inputs": [[1.5, 2]] * len(expected), "predictions": expected})
    deploy.server.predict = lambda rows: served
    failure = deploy.run().failure
    return failure.message if failure else ""


@pytest.mark.parametrize(("expected", "served"), EQUAL)
def test_predictions_are_equal_but_for_rounding(deploy: Deploy, expected: list[Any], served: list[Any]):
    assert tried(deploy, expected, served) == ""


@pytest.mark.parametrize(("expected", "served", "words"), DIFFERENT)
def test_predictions_that_are_not_equal_are_found(deploy: Deploy, expected: list[Any], served: list[Any], words: str):
    rows = len(expected)
    prefix = "The served model predicts otherwise than in evaluation, for "
    message = tried(deploy, expected, served)
    assert re.fullmatch(rf"{prefix}\d of {rows} golden rows: {re.escape(words)}\.", message)


def test_rows_of_text_are_sent_as_text(deploy: Deploy):
    deploy.keep_golden({"inputs": [["so", "good"], ["so", "bad"]], "predictions": ["so good", "so bad"]})
    deploy.server.predict = lambda rows: [" ".join(row) for row in rows]

    assert deploy.run().golden_rows == 2


def test_without_golden_rows_only_readiness_and_metadata_are_asked_for_and_that_is_said(deploy: Deploy):
    result = deploy.run(golden_prefix="")

    assert (result.state, result.golden_rows) == ("succeeded", 0)
    assert deploy.server.asked == ["GET /v2/health/ready", "GET /v2/models/churn"]
    (said,) = deploy.log("smoke-test")
    assert said == (
        "There are no golden rows, as evaluation wrote no golden.json: churn v1.3.0 is ready and knows its name, but "
        "what it predicts was not looked at."
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "it is not there any more"), ("[]", "it is not an object with `inputs` and `predictions`")],
)
def test_golden_rows_that_were_there_and_are_not_any_more_fail_the_smoke_test(
    deploy: Deploy, content: str | None, why: str
):
    golden = deploy.trained / "golden.json"
    golden.unlink() if content is None else golden.write_text(content)

    failure = failure_of(deploy.run())

    assert (failure.step, failure.kind) == ("smoke-test", FailureKind.SMOKE_TEST)
    assert failure.message == f"golden.json, which evaluation left in the artifact store, can not be used: {why}."


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (500, {"error": "X has 2 features, but 3 are expected"}),
            "answered 500: X has 2 features, but 3 are expected",
        ),
        ((500, b"<html>" + b"x" * 1000), "answered 500: <html>" + "x" * 294 + "…"),
        ((200, b"not JSON"), "can not be read: there is no list at `outputs[0].data`: None."),
        ((200, {"outputs": []}), "can not be read: there is no list at `outputs[0].data`: {'outputs': []}."),
        ((200, {"outputs": [{"data": [1, 2]}]}), "can not be read: it has 2 values for 3 rows."),
        ((200, b"x" * 5_000_000), "gave no answer (the answer is larger than 4 MiB)"),
    ],
)
def test_an_answer_that_is_none_fails_the_smoke_test(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, Any], words: str
):
    monkeypatch.setattr("pipelines.steps.inference.PATIENCE_S", 0.2)
    deploy.server.answer = answer

    failure = failure_of(deploy.run())

    assert (failure.step, failure.kind) == ("smoke-test", FailureKind.SMOKE_TEST)
    assert failure.message.endswith(words)
    assert json.dumps(failure.message)


def test_a_route_that_opens_a_moment_later_is_waited_for(deploy: Deploy):
    deploy.server.unready = 2

    assert deploy.run().state == "succeeded"
