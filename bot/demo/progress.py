"""Follow runs on the terminal: each step as it ends, with its time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bot.domain.errors import UserError
from bot.domain.run import EngineRun, Run
from bot.service import Service

LOOK_EVERY_S = 0.1
ORDERED_BY_A_PUSH = ("push:", "change:")  # how such runs' triggers begin; the rest is what somebody tried


def follow_runs(
    service: Service, repository: str, sha: str, models: Sequence[str], *, say: Callable[[str], None], timeout_s: float
) -> dict[str, Run]:
    """The run of each model that the push of `sha` ordered, as soon as all have ended; of those that an earlier demo
    has followed, only the end is told. Raises UserError after `timeout_s`."""
    told: set[tuple[str, str, str]] = set()
    for run in _newest(service, repository, sha, models).values():
        if run.phase.is_final and run.result is not None:
            told |= {(run.id, step.name, step.state) for step in run.result.steps}
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and not service.is_stopping:
        runs = _newest(service, repository, sha, models)
        seen = service.bot.engine.observe([run.id for run in runs.values() if not run.phase.is_final])
        for run in runs.values():
            for line in _news(run, seen.get(run.id), told):
                say(line)
        if len(runs) == len(models) and all(run.phase.is_final for run in runs.values()):
            return runs
        time.sleep(LOOK_EVERY_S)
    if service.is_stopping:
        raise SystemExit(130)
    raise UserError(f"The runs of {sha[:10]} did not end within {timeout_s:.0f} s.", "Look at the log above.")


def _newest(service: Service, repository: str, sha: str, models: Sequence[str]) -> dict[str, Run]:
    newest: dict[str, Run] = {}
    for run in service.bot.store.runs(repository=repository, limit=200):
        if run.sha == sha and run.model in models and run.trigger.startswith(ORDERED_BY_A_PUSH):
            newest.setdefault(run.model, run)
    return newest


def _news(run: Run, seen: EngineRun | None, told: set[tuple[str, str, str]]) -> list[str]:
    lines = []
    steps = run.result.steps if run.result is not None else ()
    moments = [(step.name, step.state, step.started_at, step.ended_at) for step in steps]
    if seen is not None:
        moments = [(step.name, step.state, step.started_at, step.ended_at) for step in seen.steps]
    for name, state, started_at, ended_at in moments:
        if state in ("pending", "skipped") or (run.id, name, state) in told or run.reused_run is not None:
            continue
        told.add((run.id, name, state))
        took = f" in {(ended_at - started_at).total_seconds():.1f} s" if started_at and ended_at else " …"
        lines.append(f"{run.model:<14} {name:<9} {state}{took}")
    if run.phase.is_final and (run.id, "", run.phase) not in told:
        told.add((run.id, "", run.phase))
        lines.append(f"{run.model:<14} {_ending(run)}")
    return lines


def _ending(run: Run) -> str:
    if run.result is not None and run.result.failure is not None:
        return f"{run.phase}: {run.result.failure.message}"
    metrics = run.result.metrics if run.result is not None else {}
    values = ", ".join(f"{name} {metric.value:.4g}" for name, metric in metrics.items())
    return f"{run.phase}: {values}"
