"""What `train` and `evaluate` share: a clean checkout, an environment, the command, and words for how it ended."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.arguments import unpack
from pipelines.steps import workplace
from pipelines.steps.code import model_folder, unpack_code
from pipelines.steps.command import Ended, Limits, run_command, was_killed
from pipelines.steps.data_cache import hand_over
from pipelines.steps.environment import prepare_environment
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.frames import last_exception
from pipelines.steps.golden import keep_golden
from pipelines.steps.journal import Step
from pipelines.steps.metrics import Metrics, read_metrics
from pipelines.steps.plots import collect_plots, for_kubeflow
from pipelines.steps.quantities import duration, size
from pipelines.steps.world import Folders, world


@dataclass(frozen=True, slots=True)
class ModelWorld:
    """What the pipeline's parameters say of the model, unpacked."""

    model_path: str
    params: Mapping[str, Any]
    split: Mapping[str, Any]
    environment: Mapping[str, Any]
    env: Mapping[str, str]
    secrets: tuple[str, ...]
    code_file: Path
    data_folder: Path
    data_own_path: str  # where the data belong in the checkout, "" when they are of another repository


@dataclass
class Shown:
    """Metadata of the artifacts, for Kubeflow's UI."""

    model: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    classification: dict[str, Any] = field(default_factory=dict)


def model_world(
    *,
    model_path: str,
    params: object,
    split: object,
    environment: object,
    env: object,
    secrets: object,
    code_file: str,
    data_folder: str,
    data_own_path: str,
) -> ModelWorld:
    return ModelWorld(
        model_path=model_path,
        params=unpack(params),
        split=unpack(split),
        environment=unpack(environment),
        env={name: str(value) for name, value in unpack(env).items()},
        secrets=tuple(unpack(secrets)),
        code_file=Path(code_file),
        data_folder=Path(data_folder),
        data_own_path=data_own_path,
    )


def run_user_step(step: Step, command: Mapping[str, Any], of: ModelWorld, *, model: Path) -> Path:
    """Runs the command in a clean checkout; gives the output folder. Raises StepFailed with why it failed."""
    checkout = step.folder / "code"
    unpack_code(of.code_file, checkout)
    start_folder = model_folder(checkout, of.model_path)
    folders = Folders(step.folder / "data", model, step.folder / "output", step.folder)
    (folders.output / "plots").mkdir(parents=True)
    model.mkdir(parents=True, exist_ok=True)
    hand_over(of.data_folder, folders.data)
    if of.data_own_path:
        _put_in_place(of.data_folder, checkout / of.data_own_path, checkout)
    venv = prepare_environment(
        of.environment,
        model_folder=start_folder,
        checkout=checkout,
        cache=workplace.cache(),
        scratch=step.folder,
        say=step.log.say,
    )
    variables = world(
        folders=folders,
        params=of.params,
        split=of.split,
        declared=of.env,
        secrets=workplace.secret_values(of.secrets),
        venv=venv,
    )
    limits = Limits(float(command.get("timeout_s") or 0), int(command.get("memory_bytes") or 0))
    step.log.say(f"$ {command['run']}")
    ended = run_command(command["run"], folder=start_folder, environment=variables, limits=limits, log=step.log)
    step.exit_code = ended.exit_code
    step.peak_memory_bytes = ended.peak_memory_bytes
    step.cpu_s = ended.cpu_s
    _raise_if_failed(step, ended, limits, command["run"], checkout, start_folder)
    return folders.output


def keep_outputs(step: Step, output: Path, shown: Shown, *, missing: str | None) -> None:
    """Metrics (where they are wanted: `missing` is said when there are none), plots and golden rows, into prefix and
    record."""
    plots = collect_plots(output / "plots", step.prefix.put_file, step.log.say)
    step.outputs["plots"] = plots
    step.outputs |= keep_golden(output, step.prefix, step.log.say)
    shown.classification |= for_kubeflow(output / "plots", plots)
    if missing is None:
        return
    metrics: Metrics = read_metrics(output / "metrics.json", missing=missing)
    step.prefix.put_file(output / "metrics.json", "metrics.json")
    step.outputs["metrics"] = metrics
    shown.metrics |= {name: metric["value"] for name, metric in metrics.items() if metric["value"] is not None}


def _put_in_place(data: Path, place: Path, checkout: Path) -> None:
    """Data of this very repository also lie where DVC would have put them, so that `dvc repro` finds them."""
    if not place.resolve().is_relative_to(checkout.resolve()) or place.exists():
        return
    files = [file for file in data.rglob("*") if file.is_file()]
    single = len(files) == 1 and files[0].parent == data and files[0].name == place.name
    hand_over(data, place.parent if single else place)


def _raise_if_failed(step: Step, ended: Ended, limits: Limits, run: str, checkout: Path, folder: Path) -> None:
    if ended.stopped_for is FailureKind.MEMORY or ended.killed_by_kernel:
        raise StepFailed(FailureKind.MEMORY, _memory_words(run, ended, limits), fix=_MEMORY_FIX)
    if ended.stopped_for is FailureKind.TIMEOUT:
        raise StepFailed(
            FailureKind.TIMEOUT,
            f"`{run}` was ended because it took longer than its timeout of {duration(limits.timeout_s)}.",
            fix=f"Raise `{step.name}.timeout` in mlops.yaml, or make the work smaller.",
        )
    if ended.exit_code == 0:
        return
    raised = last_exception(step.log.recent_lines(), checkout=checkout, folder=folder)
    if raised and ended.exit_code > 0:
        raise StepFailed(FailureKind.EXCEPTION, raised.message, frames=raised.frames)
    if ended.exit_code < 0 or was_killed(ended.exit_code):
        number = -ended.exit_code if ended.exit_code < 0 else ended.exit_code - 128
        raise StepFailed(FailureKind.SIGNAL, f"`{run}` was ended by {_signal_name(number)}.", fix=_signal_fix(number))
    raise StepFailed(
        FailureKind.EXIT,
        f"`{run}` ended with exit code {ended.exit_code}.",
        fix="Its log says more, as a rule at the end.",
    )


_MEMORY_FIX = "Raise `resources.memory` in mlops.yaml, or let the code hold less at once."


def _memory_words(run: str, ended: Ended, limits: Limits) -> str:
    used = size(ended.peak_memory_bytes)
    if ended.stopped_for is FailureKind.MEMORY:
        return f"`{run}` was ended because it used {used} of memory; its limit is {size(limits.memory_bytes)}."
    return f"`{run}` was killed by the kernel because memory ran out; it had used {used}."


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _signal_fix(number: int) -> str:
    if number == signal.SIGKILL:
        return "Somebody or something on the machine killed it; when memory is short, that is the kernel."
    if number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
        return "Native code crashed: check that the packages in the requirements fit together."
    return ""
