"""What a repository of two models looks like after a day: written straight into the store."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.comments.render import render_comment
from bot.domain.change import Change, ChangeState, Repository
from bot.domain.check import Annotation, Check, CheckStatus, Conclusion
from bot.domain.feedback import Subject
from bot.domain.links import Links
from bot.domain.report import build_report
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
from bot.usecases.reports import model_state
from tests.web.kit import Workplace

NOW = datetime.now(UTC).replace(microsecond=0)
REPOSITORY = Repository("plain/models", "/srv/mlops-bot/repositories/models.git", "main")
MAIN_SHA = "0b1c2d3e4f5061728394a5b6c7d8e9f00112233a"
HEAD_SHA = "3f2a9c1d5e7b8091a2b3c4d5e6f708192a3b4c5d"
DATA_SHA = "1c2d3e4f5061728394a5b6c7d8e9f0011223344b"
GATES = ("accuracy >= 0.93", "roc_auc >= 0.97", "log_loss <= base * 1.1", "accuracy >= production - 0.005")

MATRIX = b"actual,predicted,count\nbenign,benign,86\nmalignant,malignant,51\nmalignant,benign,4\nbenign,malignant,2\n"
ROC = b"fpr,tpr\n0,0\n0,0.62\n0.02,0.9\n0.08,0.96\n0.3,0.99\n1,1\n"


def ago(**parts: float) -> datetime:
    return NOW - timedelta(**parts)


def a_run(run_id: str, **fields: Any) -> Run:
    defaults: dict[str, Any] = {
        "id": run_id,
        "key": f"9d3e5f{run_id}",
        "trigger": f"push:{HEAD_SHA}",
        "repository": REPOSITORY.key,
        "number": 1,
        "branch": "more-trees",
        "model": "breast-cancer",
        "pipeline": "train",
        "sha": HEAD_SHA,
        "requested_by": "alice",
        "requested_at": ago(minutes=9),
        "phase": Phase.QUEUED,
        "params": {"n_estimators": 400, "max_depth": 6, "criterion": "gini"},
        "arguments": {"data_sha": DATA_SHA, "data_path": "breast_cancer.csv", "evaluate": {"run": "x"}},
        "gates": GATES,
    }
    return Run(**{**defaults, **fields})


def a_change(number: int, **fields: Any) -> Change:
    defaults: dict[str, Any] = {
        "repository": REPOSITORY.key,
        "number": number,
        "title": "Try four hundred trees",
        "author": "alice",
        "source_branch": "more-trees",
        "target_branch": "main",
        "head_sha": HEAD_SHA,
        "from_fork": False,
        "state": ChangeState.OPEN,
        "opened_at": ago(minutes=10),
    }
    return Change(**{**defaults, **fields})


def a_result(run_id: str, **fields: Any) -> Result:
    start = ago(minutes=8)
    steps = []
    for name, seconds, memory in (("fetch", 0.4, 90), ("train", 3.1, 412), ("evaluate", 1.2, 188), ("report", 0.2, 60)):
        end = start + timedelta(seconds=seconds)
        steps.append(StepResult(name, "succeeded", start, end, 0, memory * 2**20, seconds * 0.9))
        start = end
    columns = (ColumnSummary("mean_radius", 0, 14.1, 3.5), ColumnSummary("diagnosis", 0))
    defaults: dict[str, Any] = {
        "run_id": run_id,
        "run_key": "9d3e5f",
        "pipeline": "train",
        "pipeline_version": "5b1f0c2e",
        "repository": REPOSITORY.key,
        "sha": HEAD_SHA,
        "model": "breast-cancer",
        "state": "succeeded",
        "params": {"n_estimators": 400, "max_depth": 6, "criterion": "gini"},
        "split": {"test": 0.25, "seed": 7},
        "data": DataSummary("datasets", DATA_SHA, "breast_cancer.csv", "md5:1", 1, 89_000, 426, columns),
        "steps": tuple(steps),
        "metrics": {"accuracy": Metric(0.951, 0.008), "log_loss": Metric(0.142), "roc_auc": Metric(0.9911)},
        "plots": (
            Plot("plots/confusion_matrix.csv", PlotKind.CONFUSION_MATRIX, "Confusion matrix"),
            Plot("plots/roc.csv", PlotKind.CURVE, "ROC curve"),
            Plot("plots/importance.png", PlotKind.IMAGE, "Importance"),
        ),
        "model_digest": "sha256:77aa41c05d8e",
        "model_size_bytes": 1_340_000,
    }
    return Result(**{**defaults, **fields})


def a_picture(width: int = 320, height: int = 200) -> bytes:
    """A PNG of stripes."""
    rows = b"".join(
        b"\x00" + b"".join(bytes((40 + x // 4 % 160, 90, 200 - y // 2)) for x in range(width)) for y in range(height)
    )

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def seed_day(place: Workplace) -> None:
    """A trained main branch, a change that is good, one whose training fails, one that runs, and a queue."""
    _seed_rows(place)
    _seed_files(place)
    for number in (1, 2, 3):
        _seed_posts(place, number)


def _seed_rows(place: Workplace) -> None:
    failure = Failure(
        step="train",
        kind=FailureKind.EXCEPTION,
        message="ValueError: Input X contains NaN.",
        fix="Look at the rows with missing values, or impute them before `fit`.",
        frames=(Frame("models/diabetes/train.py", 18, "<module>"), Frame("models/diabetes/dataset.py", 11, "load")),
    )
    base = a_result("run-base", sha=MAIN_SHA, params={"n_estimators": 40, "max_depth": 6, "criterion": "gini"})
    base = replace(base, metrics={"accuracy": Metric(0.944), "log_loss": Metric(0.17), "roc_auc": Metric(0.9871)})
    done = {"started_at": ago(minutes=8, seconds=6), "ended_at": ago(minutes=8)}
    tail = ("Traceback (most recent call last):", '  File "train.py", line 18, in <module>', "    model.fit(X, y)")
    started = ago(minutes=30)
    failed_steps = (
        StepResult("fetch", "succeeded", started, started + timedelta(seconds=0.5), 0, 90 << 20, 0.4),
        StepResult("train", "failed", started, started + timedelta(seconds=2), 1, 300 << 20, 1.8, tail),
        StepResult("evaluate", "skipped", None, None),
        StepResult("report", "succeeded", started, started + timedelta(seconds=0.2), 0, 60 << 20, 0.1),
    )
    runs = [
        a_run("run-base", number=None, branch="main", sha=MAIN_SHA, phase=Phase.SUCCEEDED, result=base,
              requested_at=ago(hours=5), started_at=ago(hours=5), ended_at=ago(hours=4.99)),
        a_run("run-base2", number=None, branch="main", sha=MAIN_SHA, phase=Phase.SUCCEEDED, model="diabetes",
              gates=("rmse <= 65",), requested_at=ago(hours=5), started_at=ago(hours=5), ended_at=ago(hours=4.99),
              result=a_result("run-base2", model="diabetes", metrics={"rmse": Metric(54.2), "r2": Metric(0.47)},
                              plots=())),
        a_run("run-good", phase=Phase.SUCCEEDED, base_run="run-base", result=a_result("run-good"), **done),
        a_run("run-reused", model="diabetes", phase=Phase.REUSED, reused_run="run-base2", ended_at=ago(minutes=8),
              gates=("rmse <= 65",), result=a_result("run-base2", metrics={"rmse": Metric(54.2), "r2": Metric(0.47)},
                                                     plots=())),
        a_run("run-bad", number=2, branch="impute", model="diabetes", phase=Phase.FAILED, sha="b" * 40,
              started_at=started, ended_at=started + timedelta(seconds=3), requested_at=started,
              result=a_result("run-bad", state="failed", steps=failed_steps, metrics={}, plots=(), failure=failure)),
        a_run("run-now", number=3, branch="deeper", sha="c" * 40, phase=Phase.RUNNING, started_at=ago(seconds=42),
              requested_at=ago(seconds=50), requested_by="bob"),
        a_run("run-later", number=3, branch="deeper", sha="c" * 40, model="diabetes", requested_at=ago(seconds=49),
              requested_by="bob"),
    ]  # fmt: skip
    changes = [
        a_change(1),
        a_change(2, title="Impute missing blood pressure", source_branch="impute", head_sha="b" * 40,
                 opened_at=ago(minutes=31)),
        a_change(3, title="Deeper trees for the breast cancer classifier", source_branch="deeper", head_sha="c" * 40,
                 author="bob", opened_at=ago(minutes=1)),
        a_change(4, title="Remove a loader", state=ChangeState.MERGED, source_branch="tidy", opened_at=ago(days=3),
                 head_sha="d" * 40),
    ]  # fmt: skip
    with place.store.transaction() as tx:
        tx.add_repository(REPOSITORY, now=NOW)
        tx.save_head(REPOSITORY.key, "main", MAIN_SHA)
        for change in changes:
            tx.save_change(change)
        for run in runs:
            tx.add_run(run, now=NOW)
    for change in changes:
        place.records.add_change(change)
    steps = (
        StepProgress("fetch", "succeeded", ago(seconds=42), ago(seconds=41.4)),
        StepProgress("train", "running", ago(seconds=41.4)),
    )
    place.engine.runs["run-now"] = EngineRun("run-now", EngineState.RUNNING, steps)


def _seed_files(place: Workplace) -> None:
    for run_id in ("run-base", "run-good"):
        place.write(run_id, "plots/confusion_matrix.csv", MATRIX)
        place.write(run_id, "plots/roc.csv", ROC)
        place.write(run_id, "plots/importance.png", a_picture())
        place.write(run_id, "metrics.json", b'{"accuracy": {"value": 0.951, "std": 0.008}}')
        place.write(run_id, "model/model.joblib", b"\x80\x05" + b"x" * 40_000)
        place.write(run_id, "logs/fetch.log", b"fetching breast_cancer.csv at 1c2d3e4f\n426 rows\n")
        place.write(run_id, "logs/train.log", b"".join(b"tree %d of 400\n" % tree for tree in range(0, 401, 20)))
        place.write(run_id, "logs/evaluate.log", b"accuracy 0.951\nroc_auc 0.9911\n")
    place.write("run-bad", "logs/train.log", b"Traceback (most recent call last):\nValueError: Input X contains NaN.\n")
    place.write("run-now", "logs/fetch.log", b"426 rows\n")
    place.write("run-now", "logs/train.log", b"\x1b[32mtree 1 of 400\x1b[0m\n10%\r20%\r30% done\ntree 2 of 400\n")


def _seed_posts(place: Workplace, number: int) -> None:
    now, change = ago(minutes=9), place.store.change(REPOSITORY.key, number)
    assert change is not None
    world = place.app.state.site.world
    runs = sorted(place.store.runs(repository=REPOSITORY.key, number=number), key=lambda run: run.model)
    subject = Subject(REPOSITORY.key, number, change.source_branch, change.head_sha)
    states = [model_state(run, world) for run in runs]
    report = build_report(subject, states, target_branch="main", links=Links(place.settings.base_url))
    body = render_comment(report, limit=65_536)
    place.records.add_post(REPOSITORY.key, number, author="mlops-bot", body=body, is_bot=True, now=now)
    post = place.records.add_post(
        REPOSITORY.key, number, author=change.author, body="/train n_estimators=400", is_bot=False, now=ago(minutes=8.5)
    )
    place.records.set_reactions(post.id, ["eyes", "+1"])
    place.records.add_post(
        REPOSITORY.key, number, author="mlops-bot", is_bot=True, now=ago(minutes=8.4),
        body="`breast-cancer` is training with `n_estimators=400` at `3f2a9c1d`.",
    )  # fmt: skip
    good = number == 1
    for name in ("mlops/breast-cancer", "mlops/diabetes")[: 1 if number == 2 else 2]:
        place.records.save_check(REPOSITORY.key, Check(
            name=name, sha=change.head_sha,
            status=CheckStatus.IN_PROGRESS if number == 3 else CheckStatus.COMPLETED,
            conclusion=None if number == 3 else (Conclusion.SUCCESS if good else Conclusion.FAILURE),
            title="4 gates passed" if good else "train failed: ValueError", summary="", details_url="",
            annotations=() if number != 2 else (Annotation("models/diabetes/train.py", 18, "ValueError: NaN"),),
        ))  # fmt: skip
