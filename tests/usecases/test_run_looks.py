"""When a run is looked at again."""

from __future__ import annotations

from bot.domain.run import EngineState, Phase, StepProgress
from tests.usecases.kit import Place


def test_once_its_report_has_begun_a_run_is_looked_at_again_at_once_however_old_it_is(place: Place):
    sha = place.start()
    run = place.run(sha)
    place.later(3600)
    reporting = StepProgress("report", "running", place.now)
    place.engine.put(run.id, EngineState.RUNNING, steps=(reporting,))
    place.wake(run)  # as the callback does, a moment before the engine says that the run has ended

    place.write_result(run)
    place.engine.put(run.id, EngineState.SUCCEEDED)
    place.later(1)

    assert place.run(sha).phase is Phase.SUCCEEDED
