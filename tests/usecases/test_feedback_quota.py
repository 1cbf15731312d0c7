"""With little of a forge's quota left, only what has ended is said in a comment."""

from __future__ import annotations

from datetime import timedelta

from bot.domain.run import EngineState, Run, StepProgress
from bot.ports.store import Kind
from tests.usecases.kit import KEY, Place


def opened(place: Place, *names: str) -> str:
    base = place.start(*names)
    for run in place.runs(base):
        place.end(run)
    sha = place.commit("trees", **{f"{name}__train_py": "print(2)" for name in names})
    place.look()
    return sha


def progress(place: Place, run: Run) -> None:
    place.engine.put(run.id, EngineState.RUNNING, steps=(StepProgress("fetch", "running"),))
    with place.store.transaction() as tx:
        tx.wake(Kind.FEEDBACK, f"subject:{KEY}#1", now=place.now)
    place.converge()


def test_a_comment_that_only_shows_progress_waits_until_the_quota_is_renewed(place: Place):
    sha = opened(place, "churn")
    place.forge.calls.clear()
    place.forge.low_until = place.now + timedelta(minutes=20)

    progress(place, place.run(sha))
    while_low = place.forge.calls["put_comment"]
    place.forge.low_until = None
    place.later(20 * 60)

    assert while_low == 0
    assert place.forge.calls["put_comment"] == 1, "what was held back is said"
    assert "fetch" in place.comment()


def test_an_end_is_said_though_other_models_are_on_their_way(place: Place):
    sha = opened(place, "churn", "prices")
    place.forge.calls.clear()
    place.forge.low_until = place.now + timedelta(minutes=20)
    first, second = place.runs(sha)

    place.end(first)
    after_one = place.forge.calls["put_comment"]
    progress(place, second)
    after_progress = place.forge.calls["put_comment"]
    place.end(second)

    assert (after_one, after_progress, place.forge.calls["put_comment"]) == (1, 1, 2)
    assert "all 2 models passed their gates" in place.comment()
