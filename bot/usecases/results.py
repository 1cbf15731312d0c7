"""What a run left, read back; or, where it left nothing, what the bot knows of it."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.masking import mask
from bot.domain.result import Failure, FailureKind, Result, StepResult
from bot.domain.run import EngineRun, EngineState, Run
from bot.result_file import RESULT_LIMIT_BYTES, BadResult, parse_result, render_result
from bot.usecases.world import World

LOG_TAIL_BYTES = 64 * 1024
LOG_TAIL_LINES = 200
LOG_LINE_LIMIT = 2000
RETRY = "Write `/retry` to run it again."


def collect_result(run: Run, seen: EngineRun, world: World) -> Result:
    """The run's own `result.json`; written by the bot when the run could not (killed, evicted, canceled)."""
    content = world.artifacts.read(run.id, "result.json", limit_bytes=RESULT_LIMIT_BYTES + 1)
    if content is not None:
        try:
            return _as_ended(_own(parse_result(content), run), seen)
        except BadResult as error:
            return failed_result(run, Failure("report", FailureKind.INTERNAL, error.problem), seen, world)
    result = failed_result(run, _explain(seen), seen, world)
    world.artifacts.write(run.id, "result.json", render_result(result))
    return result


def _own(result: Result, run: Run) -> Result:
    """Raises BadResult for another run's: whatever ran could write there."""
    told = (result.run_id, result.run_key, result.sha, result.model)
    if told != (run.id, run.key, run.sha, run.model):
        raise BadResult(f"result.json is not of this run: it names `{result.run_id}` at `{result.sha[:10]}`.")
    return result


def _as_ended(result: Result, seen: EngineRun) -> Result:
    """Why a run was stopped the engine knows best: of one that took too long, its report only saw that it went away."""
    if seen.state is not EngineState.FAILED or not seen.reason or result.failure is None:
        return result
    if result.failure.kind not in (FailureKind.CANCELED, FailureKind.LOST):
        return result
    failure = Failure(result.failure.step, FailureKind.LOST, seen.reason, RETRY)
    return replace(result, state="failed", failure=failure)


def failed_result(run: Run, failure: Failure, seen: EngineRun | None = None, world: World | None = None) -> Result:
    steps: tuple[StepResult, ...] = ()
    if seen is not None and world is not None:
        steps = tuple(
            StepResult(
                name=step.name,
                state="failed" if step.state == "running" else step.state,
                started_at=step.started_at,
                ended_at=step.ended_at,
                log_tail=_log_tail(run.id, step.name, world),
            )
            for step in seen.steps
        )
    lineage = run.arguments.get("lineage") or {}
    return Result(
        run_id=run.id,
        run_key=run.key,
        pipeline=run.pipeline,
        pipeline_version=str(lineage.get("pipeline_version", "")),
        repository=run.repository,
        sha=run.sha,
        model=run.model,
        state="canceled" if failure.kind is FailureKind.CANCELED else "failed",
        params=run.params,
        steps=steps,
        failure=failure,
    )


def _explain(seen: EngineRun) -> Failure:
    running = next((step.name for step in seen.steps if step.state == "running"), "")
    step = running or "engine"
    if seen.state is EngineState.SUCCEEDED:
        return Failure("report", FailureKind.INTERNAL, "The run ended well, but its result.json is gone.", RETRY)
    if seen.state is EngineState.CANCELED:
        return Failure(step, FailureKind.CANCELED, seen.reason or "The run was canceled.")
    reason = seen.reason or "The engine no longer knows this run."
    return Failure(step, FailureKind.LOST, reason, RETRY)


def _log_tail(run_id: str, step: str, world: World) -> tuple[str, ...]:
    path = f"logs/{step}.log"
    size = dict(world.artifacts.files(run_id)).get(path, 0)
    raw = world.artifacts.read_from(run_id, path, offset=max(0, size - LOG_TAIL_BYTES), limit_bytes=LOG_TAIL_BYTES)
    lines = mask(raw.decode("utf-8", "replace")).splitlines()[-LOG_TAIL_LINES:]
    return tuple(line[:LOG_LINE_LIMIT] for line in lines)
