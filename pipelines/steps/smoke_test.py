"""The step `smoke-test`: the served model must say of the golden rows what it said of them in evaluation."""

from __future__ import annotations

import math
from typing import Any

from pipelines.steps.bot_serving import BotServing
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.golden import FILE, BadGolden, Golden, parse_golden
from pipelines.steps.inference import check_ready, predict
from pipelines.steps.journal import step
from pipelines.steps.prefix import open_prefix
from pipelines.steps.quantities import count

# Of the larger of the two. Sums in another order, on other cores or in other batches, move the last digits of a double
# (2**-52), and runtimes such as ONNX and XGBoost predict in single precision (2**-24 is 6e-8, a few roundings of it).
RELATIVE_TOLERANCE = 1e-6
ABSOLUTE_TOLERANCE = 1e-9  # where terms cancel out to almost nothing
SHOWN_ROWS = 3
SHOWN_CHARACTERS = 80


def smoke_test_step(*, run_prefix: str, callback_url: str, model: str, version: str, golden_prefix: str) -> None:
    with step("smoke-test", run_prefix) as running:
        golden = read_golden(golden_prefix)
        standing = BotServing(callback_url, running.log.say).look()
        if standing.state != "ready" or not standing.address:
            raise StepFailed(
                FailureKind.SERVING,
                f"{model} {version} was ready, and is {standing.state} now: {standing.message or 'without a reason'}",
                fix="The former version keeps serving. The model server's own log says more.",
            )
        if golden is None:
            check_ready(standing.address, model)
            running.log.say(
                f"There are no golden rows, as evaluation wrote no {FILE}: {model} {version} is ready and knows its "
                "name, but what it predicts was not looked at."
            )
            return
        compare(golden.predictions, predict(standing.address, model, golden))
        rows = len(golden.inputs)
        running.outputs["golden_rows"] = rows
        running.log.say(f"{count(rows, 'golden row')}: all predictions equal those of evaluation.")


def read_golden(golden_prefix: str) -> Golden | None:
    """None when there are to be none. Rows that were there and are not any more are a failure."""
    if not golden_prefix:
        return None
    content = open_prefix(golden_prefix).read(FILE)
    if content is None:
        raise _unusable("it is not there any more")
    try:
        return parse_golden(content)
    except BadGolden as bad:
        raise _unusable(str(bad)) from bad


def _unusable(why: str) -> StepFailed:
    return StepFailed(
        FailureKind.SMOKE_TEST,
        f"{FILE}, which evaluation left in the artifact store, can not be used: {why}.",
        fix="Find out who writes to the artifact store, and train again with `/train --force`.",
    )


def compare(expected: list[Any], served: list[Any]) -> None:
    """Raises StepFailed, which names the first rows that differ."""
    different = [
        (row, one, other)
        for row, (one, other) in enumerate(zip(expected, served, strict=True), start=1)
        if not is_equal(one, other)
    ]
    if not different:
        return
    shown = [f"row {row}: {_shown(other)} instead of {_shown(one)}" for row, one, other in different[:SHOWN_ROWS]]
    more = [f"and {len(different) - SHOWN_ROWS} more"] if len(different) > SHOWN_ROWS else []
    raise StepFailed(
        FailureKind.SMOKE_TEST,
        f"The served model predicts otherwise than in evaluation, for {len(different)} of {len(expected)} golden rows: "
        f"{'; '.join([*shown, *more])}.",
        fix="The former version keeps serving. Check that the same packages, and the same steps before the model, are "
        f"at work when it serves, and that evaluation writes to {FILE} what `predict` gives.",
    )


def is_equal(expected: Any, served: Any) -> bool:
    """Whole numbers, truth values and text exactly; floating-point numbers but for rounding."""
    if isinstance(expected, list) or isinstance(served, list):
        one, other = _row(expected), _row(served)
        return len(one) == len(other) and all(is_equal(a, b) for a, b in zip(one, other, strict=True))
    if not isinstance(expected, int | float) or not isinstance(served, int | float):
        return type(expected) is type(served) and bool(expected == served)
    if isinstance(expected, int):
        return expected == served
    return math.isclose(expected, served, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)


def _row(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
