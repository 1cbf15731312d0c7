"""A run's own code can write `result.json`: what it holds must neither break the store nor the report."""

from __future__ import annotations

import json

import pytest

from bot.comments import render_comment
from bot.domain.report import ModelState, build_report
from bot.domain.run import Phase
from bot.result_file import BadResult, parse_result, render_result, result_to_json
from tests.comments.report_samples import SUBJECT, good_result, run


def test_half_a_character_becomes_a_question_mark() -> None:
    document = result_to_json(good_result()) | {"params": {"name": "\ud83d"}, "model": "\udc00\U0001f600"}

    parsed = parse_result(json.dumps(document).encode())
    comment = render_comment(build_report(SUBJECT, [ModelState(run(Phase.SUCCEEDED, parsed))]), limit=65_536)

    assert (parsed.params, parsed.model) == ({"name": "?"}, "?\U0001f600")
    assert "`name=?`" in comment
    assert render_result(parsed)


@pytest.mark.parametrize("number", ["1e400", "true", '"7"', "1.5", "9" * 400, "9" * 5000])
def test_a_size_that_is_no_number_of_bytes_is_refused(number: str) -> None:
    text = json.dumps(result_to_json(good_result())).replace(
        '"model_size_bytes": 1340000', f'"model_size_bytes": {number}'
    )
    assert number in text

    with pytest.raises(BadResult):
        parse_result(text.encode())


def test_the_sample_survives_its_file() -> None:
    assert parse_result(render_result(good_result())) == good_result()
