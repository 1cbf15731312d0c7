"""Carries out what is submitted to the fake Kubeflow: by kfp.local, in processes of their own, by our local engine.

A pod gets its secrets as the package's part for Kubernetes says, from the fake Kubernetes; one that is not there fails
the run, as a pod that can not be started does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.domain.pipeline import DEPLOY, EVALUATE, TRAIN
from bot.domain.run import EngineState, StepProgress
from bot.engines.local import LocalEngine
from bot.engines.local_environment import SECRET_PREFIX
from bot.engines.local_steps import read_steps, steps_folder
from bot.ports.engine import Submission
from pipelines.arguments import unpack
from tests.fakes.kubeflow.kubernetes import FakeKubernetes
from tests.fakes.kubeflow.records import NO_TIME, Version, error_of, now

STATES = {
    EngineState.PENDING: "PENDING",
    EngineState.RUNNING: "RUNNING",
    EngineState.SUCCEEDED: "SUCCEEDED",
    EngineState.FAILED: "FAILED",
    EngineState.CANCELED: "CANCELED",
    EngineState.UNKNOWN: "FAILED",
}


class LocalExecutor:
    """`home` holds the working files of runs. With `skips_exit_handler` a terminated run leaves no result, as when its
    pods are taken away before the exit handler has begun. `identity` is what pods have of their cloud, as variables."""

    def __init__(self, home: Path, kubernetes: FakeKubernetes, *, identity: Mapping[str, str] | None = None) -> None:
        self._packages = home / "packages"
        self._packages.mkdir(parents=True)
        self._kubernetes = kubernetes
        self.skips_exit_handler = False
        self._names: dict[str, str] = {}  # Kubeflow's id to the local engine's
        self._lost: dict[str, str] = {}  # those whose pods could not be started, and why
        self._engine = LocalEngine(
            home,
            places=2,
            packages=lambda version: self._packages / f"{version}.yaml",
            clock=lambda: datetime.now(UTC),
            cache=home / "cache",
            lent=identity,
        )

    def close(self) -> None:
        self._engine.close()

    def start(self, run: dict[str, Any], version: Version) -> None:
        package = self._packages / f"{version.document['pipeline_version_id']}.yaml"
        package.write_text(version.package)
        try:
            secrets = dict(self._secrets(run, version))
        except LookupError as error:
            self._lost[run["run_id"]] = f"CreateContainerConfigError: {error}"
            return
        arguments = {name: _unpacked(value) for name, value in _parameters(run).items()}
        local_id = f"run-{uuid.UUID(run['run_id']).hex[:16]}"
        self._engine.submit(Submission(local_id, package.stem, arguments, secrets))
        self._names[run["run_id"]] = local_id

    def terminate(self, run: dict[str, Any]) -> None:
        self._engine.cancel(self._names[run["run_id"]])

    def look(self, run: dict[str, Any]) -> dict[str, Any]:
        if run["run_id"] in self._lost:
            error = error_of(self._lost[run["run_id"]])
            return {"state": "FAILED", "finished_at": now(), "error": error}
        if run["run_id"] not in self._names:
            return {}  # it is about to be started
        local_id = self._names[run["run_id"]]
        seen = self._engine.observe([local_id])[local_id]
        state = STATES[seen.state]
        has_ended = seen.state not in (EngineState.PENDING, EngineState.RUNNING)
        if run["state"] == "CANCELING" and not has_ended:
            state = "CANCELING"
        if run["state"] == "CANCELING" and has_ended and self.skips_exit_handler:
            _take_back_report(run)
        history = run["state_history"]
        if history[-1]["state"] != state:
            history = [*history, {"update_time": now(), "state": state}]
        fields = {"state": state, "state_history": history, "run_details": {"task_details": _tasks(run, has_ended)}}
        return {**fields, "finished_at": now()} if has_ended else fields

    def _secrets(self, run: dict[str, Any], version: Version) -> Iterator[tuple[str, str]]:
        """Of all pods together: kfp.local knows one environment."""
        kubernetes = version.platform.get("platforms", {}).get("kubernetes", {})
        for executor, pod in kubernetes.get("deploymentSpec", {}).get("executors", {}).items():
            for given in pod.get("secretAsEnv", ()):
                name = _resolved(given["secretNameParameter"]["componentInputParameter"], executor, run, version)
                for key in given["keyToEnv"]:
                    value = self._kubernetes.value(name, key["secretKey"])
                    yield key["envVar"].removeprefix(SECRET_PREFIX), value


def _resolved(parameter: str, executor: str, run: dict[str, Any], version: Version) -> str:
    """The value of a parameter where an executor's task is, as its driver finds it: handed down from the root."""
    components, root = version.specification["components"], version.specification["root"]
    for task in root["dag"]["tasks"].values():
        component = components[task["componentRef"]["name"]]
        if component.get("executorLabel") == executor:
            return str(_parameters(run)[parameter])
        inner = component.get("dag", {}).get("tasks", {}).values()
        if executor in [components[one["componentRef"]["name"]]["executorLabel"] for one in inner]:
            assert parameter in component["inputDefinitions"]["parameters"]
            return str(_parameters(run)[task["inputs"]["parameters"][parameter]["componentInputParameter"]])
    raise LookupError(f"no task has the executor {executor}")


def _parameters(run: Mapping[str, Any]) -> dict[str, Any]:
    return dict(run["runtime_config"]["parameters"])


def _unpacked(value: Any) -> Any:
    """The local engine packs it again."""
    return unpack(value) if isinstance(value, dict | list) else value


def _tasks(run: dict[str, Any], has_ended: bool) -> list[dict[str, Any]]:
    """As Kubeflow tells of them: also of the drivers, and of no step that has not begun."""
    parameters = _parameters(run)
    pipeline = TRAIN if "train" in parameters else DEPLOY if "golden_prefix" in parameters else EVALUATE
    tasks = [_task(run, StepProgress("root", "running")), _task(run, StepProgress("root-driver", "succeeded"))]
    for step in read_steps(steps_folder(parameters), pipeline):
        if step.state == "pending":
            continue
        state = "failed" if has_ended and step.state == "running" else step.state
        tasks.append(_task(run, StepProgress(f"{step.name}-driver", "succeeded", step.started_at, step.started_at)))
        tasks.append(_task(run, StepProgress(step.name, state, step.started_at, step.ended_at)))
        tasks.append(_task(run, StepProgress("executor", state, step.started_at, step.ended_at)))
    return tasks


def _take_back_report(run: dict[str, Any]) -> None:
    """Nobody has read it yet: the run has not been shown as ended."""
    folder = steps_folder(_parameters(run))
    assert folder is not None
    for left in (folder.parent / "result.json", folder / "report.json"):
        left.unlink(missing_ok=True)


def _task(run: dict[str, Any], step: StepProgress) -> dict[str, Any]:
    task = {
        "run_id": run["run_id"],
        "task_id": str(uuid.uuid5(uuid.UUID(run["run_id"]), step.name)),
        "display_name": step.name,
        "create_time": step.started_at.isoformat() if step.started_at else run["created_at"],
        "start_time": step.started_at.isoformat() if step.started_at else run["created_at"],
        "end_time": step.ended_at.isoformat() if step.ended_at else NO_TIME,
        "state": step.state.upper(),
        "state_history": [],
        "child_tasks": [],
    }
    return {**task, "error": error_of("main: Error (exit code 1)")} if step.state == "failed" else task
