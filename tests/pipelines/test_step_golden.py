"""`golden.json`: what a command left for the smoke test of a deployment. It comes from outside."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.steps.golden import GOLDEN_LIMIT_BYTES, BadGolden, parse_golden
from tests.pipelines.kit import GOOD_EVALUATE, GOOD_TRAIN, Workshop

SAID = ". A deployment of this model will not be tried on golden rows."


def leaving(content: str, code: str) -> str:
    path = 'os.path.join(os.environ["MLOPS_OUTPUT_DIR"], "golden.json")'
    return f"{code}\nopen({path}, 'w').write({content!r})\n"


def golden(*predictions: Any) -> str:
    return json.dumps({"inputs": [[row, 0.5] for row in range(len(predictions))], "predictions": predictions})


def test_golden_rows_are_kept_with_the_run_and_counted(shop: Workshop):
    content = json.dumps({"inputs": [[1, 2.5]], "predictions": [0], "columns": ["age", "income"]})
    shop.write(evaluate=leaving(content, GOOD_EVALUATE))

    result = shop.run()

    assert (result.state, result.golden_rows) == ("succeeded", 1)
    assert json.loads((shop.prefix / "golden.json").read_text()) == {"inputs": [[1, 2.5]], "predictions": [0]}
    assert "Kept 1 golden row, on which a deployment of this model will be tried." in result.steps[2].log_tail


def test_training_may_leave_golden_rows_and_those_of_evaluation_count_more(shop: Workshop):
    shop.write(train=leaving(golden(1, 2, 3), GOOD_TRAIN))
    trained = shop.run()
    shop.write(train=leaving(golden(1, 2, 3), GOOD_TRAIN), evaluate=leaving(golden(4, 5), GOOD_EVALUATE))
    evaluated = shop.run()

    assert (trained.golden_rows, evaluated.golden_rows) == (3, 2)
    assert json.loads((shop.prefix / "golden.json").read_text())["predictions"] == [4, 5]


def test_bad_golden_rows_are_left_out_and_the_run_succeeds_all_the_same(shop: Workshop):
    shop.write(evaluate=leaving('{"inputs": [[1]], "predictions": [NaN]}', GOOD_EVALUATE))

    result = shop.run()

    assert (result.state, result.golden_rows) == ("succeeded", 0)
    assert not (shop.prefix / "golden.json").exists()
    assert f"golden.json is left out: predictions[0] is not finite{SAID}" in result.steps[2].log_tail


def test_a_link_is_not_taken_for_golden_rows(shop: Workshop):
    shop.write(
        {"models/churn/golden.json": golden(1)},
        evaluate=GOOD_EVALUATE
        + "\nos.symlink(os.path.abspath('golden.json'), os.environ['MLOPS_OUTPUT_DIR'] + '/golden.json')\n",
    )

    assert shop.run().golden_rows == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "it is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("\udcff", "it is not JSON ("),
        ("[" * 100_000, "it is not JSON (maximum recursion depth exceeded"),
        ("1" * 5000, "it is not JSON (Exceeds the limit"),
        ("[]", "it is not an object with `inputs` and `predictions`"),
        ('{"inputs": [[1]]}', "it is not an object with `inputs` and `predictions`"),
        ('{"inputs": {}, "predictions": []}', "`inputs` is not a list"),
        ('{"inputs": [[1]], "predictions": 1}', "`predictions` is not a list"),
        ('{"inputs": [], "predictions": []}', "it has 0 rows, and must have 1 to 100"),
        (golden(*range(101)), "it has 101 rows, and must have 1 to 100"),
        ('{"inputs": [[1], [2]], "predictions": [1]}', "it has 2 rows, but 1 predictions"),
        ('{"inputs": [1], "predictions": [1]}', "inputs[0] is not a list with something in it"),
        ('{"inputs": [[]], "predictions": [1]}', "inputs[0] is not a list with something in it"),
        ('{"inputs": [[1, 2], [3]], "predictions": [1, 2]}', "inputs[1] has 1 values, and the row before it 2"),
        ('{"inputs": [[1, [2]]], "predictions": [1]}', "inputs[0][1] is neither a number nor text"),
        ('{"inputs": [[true]], "predictions": [1]}', "inputs[0][0] is neither a number nor text"),
        ('{"inputs": [[1, "a"]], "predictions": [1]}', "inputs mixes numbers and text, which can not be sent as one"),
        ('{"inputs": [[1e999]], "predictions": [1]}', "inputs[0][0] is not finite"),
        (f'{{"inputs": [[1{"0" * 400}]], "predictions": [1]}}', "inputs[0][0] is larger than 64 bits can hold"),
        ('{"inputs": [["\\ud800"]], "predictions": [1]}', "inputs[0][0] is text with half a character"),
        ('{"inputs": [[1]], "predictions": [null]}', "predictions[0] is neither a number nor text"),
        ('{"inputs": [[1], [2]], "predictions": [[1], 2]}', "predictions[1] is not a list with something in it"),
        (" " * (GOLDEN_LIMIT_BYTES + 1), "it is larger than 1 MiB"),
    ],
)
def test_each_way_in_which_golden_rows_are_wrong_has_its_words(content: str, why: str):
    with pytest.raises(BadGolden) as bad:
        parse_golden(content.encode("utf-8", "surrogateescape"))

    assert str(bad.value).startswith(why)


@pytest.mark.parametrize("predictions", [[0, 1], [0.5, 1], ["cat", "dog"], [True, False], [[0.2, 0.8], [1, 0]]])
def test_predictions_are_values_or_rows_of_values(predictions: list[Any]):
    content = json.dumps({"inputs": [["a", "b"], ["c", "d"]], "predictions": predictions}).encode()

    assert parse_golden(content).predictions == predictions
