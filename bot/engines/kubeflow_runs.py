"""What Kubeflow's API says of a run, in our own words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.domain.masking import mask
from bot.domain.pipeline import DEPLOY, EVALUATE, TRAIN
from bot.domain.run import EngineRun, EngineState, StepProgress
from bot.engines.local_steps import STEPS, ended

REASON_CHARACTERS = 500
# Kubeflow writes times that have not come as 1970 or 0001
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

STATES: Mapping[str, EngineState] = {
    "RUNTIME_STATE_UNSPECIFIED": EngineState.PENDING,
    "PENDING": EngineState.PENDING,
    "RUNNING": EngineState.RUNNING,
    "PAUSED": EngineState.RUNNING,
    "CANCELING": EngineState.RUNNING,
    "SUCCEEDED": EngineState.SUCCEEDED,
    "SKIPPED": EngineState.SUCCEEDED,  # all of it was cached
    "FAILED": EngineState.FAILED,
    "CANCELED": EngineState.CANCELED,
}
STEP_STATES: Mapping[str, str] = {
    "PENDING": "pending",
    "RUNNING": "running",
    "PAUSED": "running",
    "CANCELING": "running",
    "SUCCEEDED": "succeeded",
    "SKIPPED": "skipped",
    "FAILED": "failed",
    "CANCELED": "canceled",
}
ACTIVE = (EngineState.PENDING, EngineState.RUNNING)


def engine_run(run_id: str, document: Mapping[str, Any]) -> EngineRun:
    """Of an element of a list of runs."""
    state = STATES.get(str(document.get("state", "")), EngineState.PENDING)
    if state is EngineState.FAILED and _was_canceling(document):
        state = EngineState.CANCELED  # Argo ends what was terminated as failed
    steps = _steps(document)
    if state not in ACTIVE:
        steps = ended(steps, state)
    return EngineRun(run_id, state, steps, _reason(document) if state is EngineState.FAILED else "")


def order_of_age(document: Mapping[str, Any]) -> tuple[str, str]:
    """Of several that bear one name, the oldest is the run."""
    return str(document.get("created_at", "")), str(document["run_id"])


def _was_canceling(document: Mapping[str, Any]) -> bool:
    return any(status.get("state") in ("CANCELING", "CANCELED") for status in document.get("state_history") or ())


def _pipeline(document: Mapping[str, Any]) -> str:
    parameters = (document.get("runtime_config") or {}).get("parameters") or {}
    if "train" in parameters:
        return TRAIN
    return DEPLOY if "golden_prefix" in parameters else EVALUATE


def _steps(document: Mapping[str, Any]) -> tuple[StepProgress, ...]:
    """Those of the pipeline, in its order. Kubeflow also lists its drivers and executors; of one that was tried again,
    the newest counts."""
    names = STEPS[_pipeline(document)]
    newest: dict[str, Mapping[str, Any]] = {}
    for task in _tasks(document):
        name = _step_name(task.get("display_name", ""))
        if name in names and task.get("create_time", "") >= newest.get(name, {}).get("create_time", ""):
            newest[name] = task
    return tuple(_step(name, newest[name]) if name in newest else StepProgress(name, "pending") for name in names)


def _step_name(task: str) -> str:
    return "fetch" if task == "fetch-with-model" else task


def _step(name: str, task: Mapping[str, Any]) -> StepProgress:
    state = STEP_STATES.get(str(task.get("state", "")), "pending")
    return StepProgress(name, state, _time(task.get("start_time")), _time(task.get("end_time")))


def _tasks(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((document.get("run_details") or {}).get("task_details") or ())


def _reason(document: Mapping[str, Any]) -> str:
    """Why it failed, in Kubeflow's words: a pod that was evicted or an image that is not there has no other."""
    errors = [task.get("error") for task in _tasks(document) if task.get("state") == "FAILED"]
    for error in (*errors, document.get("error")):
        text = " ".join(str((error or {}).get("message") or "").split())
        if text:
            return f"Kubeflow: {mask(text)[:REASON_CHARACTERS]}"
    return "Kubeflow ended the run as failed, without a word."


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time if time >= EARLIEST else None
