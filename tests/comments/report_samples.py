"""A change of two models, as a data scientist would make it, in each state that it goes through."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.domain.check import Annotation
from bot.domain.feedback import Notice, Subject, Waiver
from bot.domain.links import Links
from bot.domain.plots import parse_plot
from bot.domain.report import ModelState, Report, build_report
from bot.domain.result import (
    ColumnSummary,
    DataSummary,
    Failure,
    FailureKind,
    Frame,
    Metric,
    Plot,
    PlotKind,
    Result,
    StepResult,
)
from bot.domain.run import EngineRun, EngineState, Phase, Run, StepProgress

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HEAD = "3f2a9c1d5e7b8091a2b3c4d5e6f708192a3b4c5d"
BASE = "0b1c2d3e4f5061728394a5b6c7d8e9f00112233a"
DATA_V1 = "1c2d3e4f5061728394a5b6c7d8e9f0011223344b"
DATA_V2 = "9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"
LINKS = Links("https://bot.example.com")
SUBJECT = Subject("plain/models", 3, "more-trees", HEAD)
GATES = ("accuracy >= 0.93", "roc_auc >= 0.97", "log_loss <= base * 1.1", "accuracy >= production - 0.005")

ROC_CSV = b"fpr,tpr,threshold\n0,0,inf\n0,0.62,0.97\n0.02,0.9,0.8\n0.08,0.96,0.5\n0.3,0.99,0.2\n1,1,0\n"
MATRIX_CSV = b"actual,predicted\n" + b"".join(
    pair * times
    for pair, times in (
        (b"benign,benign\n", 86),
        (b"malignant,malignant\n", 51),
        (b"malignant,benign\n", 4),
        (b"benign,malignant\n", 2),
    )
)
PLOTS = (
    Plot("plots/confusion_matrix.csv", PlotKind.CONFUSION_MATRIX, "Confusion matrix"),
    Plot("plots/roc.csv", PlotKind.CURVE, "ROC curve"),
    Plot("plots/importance.png", PlotKind.IMAGE, "importance"),
    Plot("plots/calibration.json", PlotKind.VEGA_LITE, "calibration"),
)
PARSED = {
    plot.path: parsed
    for plot, content in zip(PLOTS, (MATRIX_CSV, ROC_CSV, b"", b""), strict=True)
    if (parsed := parse_plot(plot, content)) is not None
}


def steps(*, failed: str = "", tail: tuple[str, ...] = ()) -> tuple[StepResult, ...]:
    """fetch, train, evaluate, report; those after the failed one are skipped."""
    shown, start, skipping = [], NOON, False
    for name, seconds, memory in (("fetch", 0.4, 90), ("train", 3.1, 412), ("evaluate", 1.2, 188), ("report", 0.2, 60)):
        if skipping and name != "report":
            shown.append(StepResult(name, "skipped", None, None))
            continue
        end = start + timedelta(seconds=seconds)
        state, code = ("failed", 1) if name == failed else ("succeeded", 0)
        shown.append(
            StepResult(name, state, start, end, code, memory * 2**20, seconds * 0.9, tail if name == failed else ())
        )
        start, skipping = end, skipping or name == failed
    return tuple(shown)


def data(*, sha: str, rows: int, radius: float) -> DataSummary:
    columns = (
        ColumnSummary("mean_radius", 0, radius, 3.5),
        ColumnSummary("mean_texture", 0, 19.3, 4.3),
        ColumnSummary("diagnosis", 0),
    )
    return DataSummary("plain/datasets", sha, "breast_cancer.csv", f"md5:{rows}", 1, rows * 210, rows, columns)


def result(run_id: str, sha: str, **changes: object) -> Result:
    whole = Result(
        run_id=run_id,
        run_key="k" * 64,
        pipeline="train",
        pipeline_version="5b1f0c2e",
        repository="plain/models",
        sha=sha,
        model="breast-cancer",
        state="succeeded",
        params={"criterion": "gini", "max_depth": 6, "n_estimators": 40},
        split={"test": 0.25, "seed": 7},
        data=data(sha=DATA_V1, rows=426, radius=14.1),
        steps=steps(),
        metrics={"accuracy": Metric(0.944056), "log_loss": Metric(0.17), "roc_auc": Metric(0.9871)},
        plots=PLOTS,
        model_digest="sha256:77aa",
        model_size_bytes=1_340_000,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # the names and types are those of Result's fields


def run(phase: Phase, made: Result | None = None, **changes: object) -> Run:
    whole = Run(
        id="run-1a2b3c4d5e6f7081",
        key="k" * 64,
        trigger=f"push:{HEAD}",
        repository="plain/models",
        number=3,
        branch="more-trees",
        model="breast-cancer",
        pipeline="train",
        sha=HEAD,
        requested_by="alice",
        requested_at=NOON,
        phase=phase,
        params={},
        arguments={},
        gates=GATES,
        result=made,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # the names and types are those of Run's fields


BASE_RUN = run(
    Phase.SUCCEEDED, result("run-base", BASE), id="run-0ba5e0ba5e0ba5e0", sha=BASE, number=None, branch="main"
)


def good_result() -> Result:
    return result(
        "run-1a2b3c4d5e6f7081",
        HEAD,
        params={"criterion": "gini", "max_depth": 6, "n_estimators": 200},
        data=data(sha=DATA_V2, rows=569, radius=16.2),
        metrics={
            "accuracy": Metric(0.958042, 0.02),
            "log_loss": Metric(0.1321),
            "roc_auc": Metric(0.9914),
            "train_rows": Metric(426),
        },
    )


def state(phase: Phase = Phase.SUCCEEDED, made: Result | None = None, **changes: object) -> ModelState:
    return ModelState(run(phase, made, **changes), base=BASE_RUN, plots=PARSED)


def second(**changes: object) -> ModelState:
    """The other model: a regressor, where lower is better."""
    base = result("run-b", BASE, model="diabetes", plots=(), metrics={"rmse": Metric(58.4)}, params={"alpha": 0.1})
    made = replace(base, sha=HEAD, metrics={"rmse": Metric(71.25)}, params={"alpha": 50})
    shared = {"model": "diabetes", "gates": ("rmse <= 65", "rmse <= base * 1.02")}
    return ModelState(
        run(Phase.SUCCEEDED, made, **{"id": "run-d1d1d1d1d1d1d1d1", **shared, **changes}),
        base=run(Phase.SUCCEEDED, base, id="run-d0d0d0d0d0d0d0d0", sha=BASE, **shared),
    )


def report(*states: ModelState, notice: Notice | None = None, waivers: tuple[Waiver, ...] = ()) -> Report:
    return build_report(SUBJECT, states, notice=notice, waivers=waivers, target_branch="main", links=LINKS)


def waiver(gate: str, model: str = "diabetes") -> Waiver:
    return Waiver("plain/models", 3, model, gate, "known outlier week", "bob", NOON, NOON + timedelta(days=14))


def failed_state() -> ModelState:
    failure = Failure(
        "train",
        FailureKind.EXCEPTION,
        "ValueError: could not convert string to float: 'n/a'",
        "Look at the lines below, the last of which is where it happened.",
        (
            Frame("models/breast-cancer/train.py", 41, "main"),
            Frame("models/breast-cancer/features.py", 17, "as_numbers"),
        ),
    )
    tail = (
        "Traceback (most recent call last):",
        '  File "models/breast-cancer/train.py", line 41, in main',
        "    x = as_numbers(frame)",
        '  File "models/breast-cancer/features.py", line 17, in as_numbers',
        "    return frame.astype(float)",
        "ValueError: could not convert string to float: 'n/a'",
    )
    made = result(
        "run-1a2b3c4d5e6f7081",
        HEAD,
        state="failed",
        failure=failure,
        steps=steps(failed="train", tail=tail),
        metrics={},
        plots=(),
        model_digest="",
        data=data(sha=DATA_V2, rows=569, radius=16.2),
    )
    return state(Phase.FAILED, made)


def running_state() -> ModelState:
    seen = EngineRun(
        "run-1a2b3c4d5e6f7081",
        EngineState.RUNNING,
        (
            StepProgress("fetch", "succeeded", NOON, NOON + timedelta(seconds=0.4)),
            StepProgress("train", "running", NOON + timedelta(seconds=0.4)),
            StepProgress("evaluate", "pending"),
            StepProgress("report", "pending"),
        ),
    )
    return ModelState(run(Phase.RUNNING), engine=seen)


STORIES: dict[str, Report] = {
    "passed": report(state(made=good_result())),
    "missed": report(state(made=good_result()), second()),
    "failed": report(failed_state()),
    "invalid_project": report(
        notice=Notice(
            HEAD,
            "failure",
            "`mlops.yaml` has 2 errors",
            "- line 14, column 9: `treshold` is not a key of a model. Did you mean `threshold`?\n"
            "- line 20, column 7: gate `auc >= high`, character 8: `high` is not a number. Write a number.\n\n"
            "Nothing was run. Check it before you push: `mlops-bot validate`.",
            (Annotation("mlops.yaml", 14, "`treshold` is not a key of a model."),),
        )
    ),
    "running": report(running_state(), ModelState(second().run, base=second().base)),
    "queued": report(ModelState(run(Phase.QUEUED), queue_place=3)),
    "reused": report(
        state(Phase.REUSED, result("run-0ba5e0ba5e0ba5e0", BASE), id="run-2222222222222222", reused_run=BASE_RUN.id)
    ),
    "canceled": report(state(Phase.CANCELED, cancel_requested_by="alice")),
    "superseded": report(state(Phase.SUPERSEDED, superseded_by=BASE, cancel_requested_by="mlops-bot")),
    "waived": report(second(), waivers=(waiver("rmse <= 65"), waiver("rmse <= base * 1.02"))),
    "nothing_touched": report(
        notice=Notice(HEAD, "neutral", "Nothing to run", "- `diabetes`: nothing below `models/diabetes` has changed.")
    ),
    "no_incumbent": report(
        ModelState(
            run(
                Phase.SUCCEEDED,
                good_result(),
                notes=("This model is new: `main` does not have it yet, so its gates are those of this change.",),
            ),
            plots=PARSED,
        )
    ),
    "ungated": report(state(made=good_result(), gates=())),
}


def _huge(number: int) -> ModelState:
    """Everything long at once, and every second model has failed."""
    long = "a log line that goes on and on " * 6
    if number % 2:
        return state(Phase.SUCCEEDED, good_result(), model=f"model-{number}", id=f"run-{number:016x}")
    made = failed_state().run.result
    assert made is not None
    failing = replace(made, steps=steps(failed="train", tail=tuple(f"{i}: {long}" for i in range(200))))
    return state(Phase.FAILED, failing, model=f"model-{number}", id=f"run-{number:016x}")


LARGE = report(*(_huge(number) for number in range(4)))
HUGE = report(*(_huge(number) for number in range(40)))
