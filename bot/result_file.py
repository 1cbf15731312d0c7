"""`result.json` to `Result` and back. The file comes from a run, so it is hostile until checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from bot.domain.errors import UserError
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

T = TypeVar("T")

RESULT_LIMIT_BYTES = 4 * 1024 * 1024
LARGEST_WHOLE = 2**63 - 1
DEEPEST = 20  # levels of params
RUN_STATES = ("succeeded", "failed", "canceled")
STEP_STATES = (*RUN_STATES, "skipped", "pending", "running")


class BadResult(UserError):
    """The file is not what `schemas/result.schema.json` says."""


def parse_result(content: bytes) -> Result:
    """Raises BadResult, which names the place."""
    if len(content) > RESULT_LIMIT_BYTES:
        raise BadResult(f"result.json is larger than {RESULT_LIMIT_BYTES} bytes.")
    try:
        document = json.loads(content)
        if b"\\ud" in content.lower():  # a lone surrogate can be neither stored nor sent
            document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise BadResult(f"result.json is not JSON: {error}.") from error
    return result_from_json(document)


def render_result(result: Result) -> bytes:
    return json.dumps(result_to_json(result), ensure_ascii=False, indent=1, allow_nan=False).encode()


def result_to_json(result: Result) -> dict[str, Any]:
    """Plain JSON values; the names are those of the fields."""
    document = _plain(asdict(result))
    assert isinstance(document, dict)
    return document


def result_from_json(document: object) -> Result:
    """Raises BadResult for anything that has not the shape of a result."""
    try:
        return _result(_mapping(document))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadResult(f"result.json does not have the expected shape: {repr(error)[:300]}.") from error


def _result(raw: Mapping[str, Any]) -> Result:
    return Result(
        run_id=_text(raw["run_id"]),
        run_key=_text(raw["run_key"]),
        pipeline=_text(raw["pipeline"]),
        pipeline_version=_text(raw["pipeline_version"]),
        repository=_text(raw["repository"]),
        sha=_text(raw["sha"]),
        model=_text(raw["model"]),
        state=_one_of(raw["state"], RUN_STATES),
        params=_shallow(dict(_mapping(raw.get("params") or {}))),
        split=_shallow(dict(_mapping(raw.get("split") or {}))),
        data=_optional(raw.get("data"), _data),
        steps=tuple(_step(_mapping(step)) for step in raw.get("steps") or ()),
        metrics={_text(name): _metric(_mapping(metric)) for name, metric in (raw.get("metrics") or {}).items()},
        plots=tuple(
            Plot(_text(plot["path"]), PlotKind(plot["kind"]), _text(plot["title"])) for plot in raw.get("plots") or ()
        ),
        model_digest=_text(raw.get("model_digest") or ""),
        model_size_bytes=_whole(raw.get("model_size_bytes") or 0),
        failure=_optional(raw.get("failure"), _failure),
        golden_rows=_whole(raw.get("golden_rows") or 0),
    )


def _data(raw: Mapping[str, Any]) -> DataSummary:
    return DataSummary(
        repository=_text(raw["repository"]),
        sha=_text(raw["sha"]),
        path=_text(raw["path"]),
        digest=_text(raw["digest"]),
        files=_whole(raw["files"]),
        size_bytes=_whole(raw["size_bytes"]),
        rows=_optional(raw.get("rows"), _whole),
        columns=tuple(
            ColumnSummary(
                name=_text(column["name"]),
                missing=_whole(column["missing"]),
                mean=_optional(column.get("mean"), _finite),
                std=_optional(column.get("std"), _finite),
            )
            for column in raw.get("columns") or ()
        ),
    )


def _step(raw: Mapping[str, Any]) -> StepResult:
    tail: Sequence[object] = raw.get("log_tail") or ()
    return StepResult(
        name=_text(raw["name"]),
        state=_one_of(raw["state"], STEP_STATES),
        started_at=_optional(raw.get("started_at"), _time),
        ended_at=_optional(raw.get("ended_at"), _time),
        exit_code=_optional(raw.get("exit_code"), _whole),
        peak_memory_bytes=_optional(raw.get("peak_memory_bytes"), _whole),
        cpu_s=_optional(raw.get("cpu_s"), _finite),
        log_tail=tuple(_text(line) for line in tail),
    )


def _metric(raw: Mapping[str, Any]) -> Metric:
    return Metric(value=_finite(raw["value"]), std=_optional(raw.get("std"), _finite))


def _failure(raw: Mapping[str, Any]) -> Failure:
    return Failure(
        step=_text(raw["step"]),
        kind=FailureKind(raw["kind"]),
        message=_text(raw["message"]),
        fix=_text(raw.get("fix") or ""),
        frames=tuple(
            Frame(_text(frame["file"]), _whole(frame["line"]), _text(frame.get("function") or ""))
            for frame in raw.get("frames") or ()
        ),
    )


def _optional(value: Any, convert: Callable[[Any], T]) -> T | None:
    return None if value is None else convert(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {type(value).__name__}")
    return value


def _one_of(value: object, known: tuple[str, ...]) -> str:
    text = _text(value)
    if text not in known:
        raise ValueError(f"expected one of {', '.join(known)}, found {text[:40]!r}")
    return text


def _shallow(value: T, depth: int = DEEPEST) -> T:
    """Deeper values could be read, but neither stored nor shown."""
    if depth == 0:
        raise ValueError(f"expected at most {DEEPEST} levels")
    items: Iterable[Any] = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for item in items:
        _shallow(item, depth - 1)
    return value


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object, found {type(value).__name__}")
    return value


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value!r}")
    return float(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_WHOLE:
        raise ValueError(f"expected a whole number of 64 bits, found {str(value)[:40]}")
    return value


def _time(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError(f"time without a zone: {value}")
    return moment.astimezone(UTC)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return value
