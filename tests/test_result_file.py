"""`result.json` comes from a run, so it is hostile until it was read without complaint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.result_file import RESULT_LIMIT_BYTES, BadResult, parse_result, render_result
from tests.contracts.store_examples import a_result

MINIMAL: dict[str, Any] = {
    "run_id": "run-0123456789abcdef",
    "run_key": "key",
    "pipeline": "train",
    "pipeline_version": "1",
    "repository": "plain/models",
    "sha": "a" * 40,
    "model": "churn",
    "state": "succeeded",
}
STEP = {"name": "train", "state": "succeeded"}


def content(**fields: Any) -> bytes:
    return json.dumps({**MINIMAL, **fields}).encode()


def test_what_is_written_is_read_back_equal():
    result = a_result("run-1", steps=(), golden_rows=20)

    assert parse_result(render_result(result)) == result


def test_what_is_not_given_is_empty():
    result = parse_result(content())

    assert (result.params, result.metrics, result.steps, result.plots, result.data) == ({}, {}, (), (), None)
    assert result.golden_rows == 0


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe\xfd", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"7" * 5000, "is not JSON"),
        (b"[]", "expected an object, found list"),
        (b"{}", "'run_id'"),
        (b" " * (RESULT_LIMIT_BYTES + 1), "is larger than 4194304 bytes"),
        (content(run_id=7), "expected text, found int"),
        (content(state="fine"), "expected one of succeeded, failed, canceled, found 'fine'"),
        (content(steps=[{**STEP, "state": "odd"}]), "expected one of"),
        (content(steps=[{**STEP, "started_at": "2026-11-24T12:00:00"}]), "time without a zone"),
        (content(steps=[{**STEP, "started_at": "9999-12-31T23:59:59-23:59"}]), "OverflowError"),
        (content(steps=7), "not iterable"),
        (content(golden_rows=[1]), "expected a whole number"),
        (content(metrics={"accuracy": {"value": "0.9"}}), "expected a finite number"),
        (content(metrics={"accuracy": {"value": True}}), "expected a finite number"),
        (content(metrics={"accuracy": {"value": 10**400}}), "OverflowError"),
        (content(metrics={"accuracy": {"value": float("nan")}}), "expected a finite number"),
        (content(metrics={"accuracy": {"value": float("inf")}}), "expected a finite number"),
        (content(metrics=[1]), "AttributeError"),
        (content(model_size_bytes=2**70), "expected a whole number of 64 bits"),
        (content(plots=[{"path": "x", "kind": "video", "title": ""}]), "video"),
        (content(failure={"step": "train", "kind": "magic", "message": ""}), "magic"),
        (content(params=json.loads("[" * 30 + "]" * 30)), "expected an object"),
        (content(params={"deep": json.loads("[" * 900 + "]" * 900)}), "expected at most 20 levels"),
    ],
)
def test_what_is_not_a_result_is_refused_and_its_place_named(bad: bytes, words: str):
    with pytest.raises(BadResult) as raised:
        parse_result(bad)

    assert words in raised.value.problem
    assert len(raised.value.problem) < 500


def test_half_characters_become_question_marks():
    assert parse_result(content(model="a\ud800b")).model == "a?b"
