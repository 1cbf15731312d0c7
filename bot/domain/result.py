"""What a run leaves: the meaning of `result.json` (`schemas/result.schema.json`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.project import JsonValue


@dataclass(frozen=True, slots=True)
class Metric:
    value: float
    std: float | None = None


class PlotKind(StrEnum):
    CONFUSION_MATRIX = "confusion_matrix"  # CSV: actual,predicted
    CURVE = "curve"  # CSV of two numeric columns, for example roc.csv: fpr,tpr
    IMAGE = "image"  # PNG or SVG
    VEGA_LITE = "vega_lite"  # JSON


@dataclass(frozen=True, slots=True)
class Plot:
    """`path` is relative to the run's prefix, for example `plots/roc.csv`."""

    path: str
    kind: PlotKind
    title: str


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """`mean` and `std` are None for a column that is not numeric."""

    name: str
    missing: int
    mean: float | None = None
    std: float | None = None


@dataclass(frozen=True, slots=True)
class DataSummary:
    """`rows` and `columns` are None and empty where the data is not one CSV file of modest size."""

    repository: str
    sha: str
    path: str
    digest: str
    files: int
    size_bytes: int
    rows: int | None = None
    columns: tuple[ColumnSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class StepResult:
    """`state` is succeeded, failed, skipped or canceled; `exit_code` is negative for a signal, None if none was run."""

    name: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None = None
    peak_memory_bytes: int | None = None
    cpu_s: float | None = None
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """A Python frame in the model's own files; `file` is relative to the repository's root."""

    file: str
    line: int
    function: str = ""


class FailureKind(StrEnum):
    EXCEPTION = "exception"  # Python raised; `frames` tell where
    EXIT = "exit"  # ended with a code other than 0
    SIGNAL = "signal"
    MEMORY = "memory"
    TIMEOUT = "timeout"
    NO_METRICS = "no_metrics"
    BAD_METRICS = "bad_metrics"  # not JSON, not numbers, NaN or infinite
    NO_MODEL = "no_model"
    CODE = "code"  # the commit could not be checked out
    DATA = "data"  # the data's revision, path or remote
    REQUIREMENTS = "requirements"
    COMMAND = "command"  # the command itself could not be started
    DIGEST = "digest"  # the model's files are not those that were approved: somebody changed them
    SERVING = "serving"  # the model server did not start, or ended
    SMOKE_TEST = "smoke_test"  # the served model says other things than in evaluation
    CANARY = "canary"  # errors or latency while it had a share of the requests
    REFUSED = "refused"  # the server's policy does not allow this run, or the bot no longer wants this deployment
    UNREACHABLE = "unreachable"  # the bot did not answer the run
    CANCELED = "canceled"
    LOST = "lost"  # the engine, the machine or the process went away
    INTERNAL = "internal"  # ours


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed, in words for the change's author."""

    step: str
    kind: FailureKind
    message: str
    fix: str = ""
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """`state` is succeeded, failed or canceled. Times are UTC."""

    run_id: str
    run_key: str
    pipeline: str
    pipeline_version: str
    repository: str
    sha: str
    model: str
    state: str
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    split: Mapping[str, JsonValue] = field(default_factory=dict)
    data: DataSummary | None = None
    steps: tuple[StepResult, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    plots: tuple[Plot, ...] = ()
    model_digest: str = ""
    model_size_bytes: int = 0
    failure: Failure | None = None
    golden_rows: int = 0  # kept by train or evaluate; of a deployment, those that were answered as in evaluation
