"""`result.json` to `Result` and back. The file comes from a run, so it is hostile until checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from typing import Any

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
from bot.json_values import finite, mapping, optional, shallow, text, whole

RESULT_LIMIT_BYTES = 4 * 1024 * 1024
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
        return _result(mapping(document))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadResult(f"result.json does not have the expected shape: {repr(error)[:300]}.") from error


def _result(raw: Mapping[str, Any]) -> Result:
    return Result(
        run_id=text(raw["run_id"]),
        run_key=text(raw["run_key"]),
        pipeline=text(raw["pipeline"]),
        pipeline_version=text(raw["pipeline_version"]),
        repository=text(raw["repository"]),
        sha=text(raw["sha"]),
        model=text(raw["model"]),
        state=_one_of(raw["state"], RUN_STATES),
        params=shallow(dict(mapping(raw.get("params") or {}))),
        split=shallow(dict(mapping(raw.get("split") or {}))),
        data=optional(raw.get("data"), _data),
        steps=tuple(_step(mapping(step)) for step in raw.get("steps") or ()),
        metrics={text(name): _metric(mapping(metric)) for name, metric in (raw.get("metrics") or {}).items()},
        plots=tuple(
            Plot(text(plot["path"]), PlotKind(plot["kind"]), text(plot["title"])) for plot in raw.get("plots") or ()
        ),
        model_digest=text(raw.get("model_digest") or ""),
        model_size_bytes=whole(raw.get("model_size_bytes") or 0),
        failure=optional(raw.get("failure"), _failure),
        golden_rows=whole(raw.get("golden_rows") or 0),
    )


def _data(raw: Mapping[str, Any]) -> DataSummary:
    return DataSummary(
        repository=text(raw["repository"]),
        sha=text(raw["sha"]),
        path=text(raw["path"]),
        digest=text(raw["digest"]),
        files=whole(raw["files"]),
        size_bytes=whole(raw["size_bytes"]),
        rows=optional(raw.get("rows"), whole),
        columns=tuple(
            ColumnSummary(
                name=text(column["name"]),
                missing=whole(column["missing"]),
                mean=optional(column.get("mean"), finite),
                std=optional(column.get("std"), finite),
            )
            for column in raw.get("columns") or ()
        ),
    )


def _step(raw: Mapping[str, Any]) -> StepResult:
    tail: Sequence[object] = raw.get("log_tail") or ()
    return StepResult(
        name=text(raw["name"]),
        state=_one_of(raw["state"], STEP_STATES),
        started_at=optional(raw.get("started_at"), _time),
        ended_at=optional(raw.get("ended_at"), _time),
        exit_code=optional(raw.get("exit_code"), whole),
        peak_memory_bytes=optional(raw.get("peak_memory_bytes"), whole),
        cpu_s=optional(raw.get("cpu_s"), finite),
        log_tail=tuple(text(line) for line in tail),
    )


def _metric(raw: Mapping[str, Any]) -> Metric:
    return Metric(value=finite(raw["value"]), std=optional(raw.get("std"), finite))


def _failure(raw: Mapping[str, Any]) -> Failure:
    return Failure(
        step=text(raw["step"]),
        kind=FailureKind(raw["kind"]),
        message=text(raw["message"]),
        fix=text(raw.get("fix") or ""),
        frames=tuple(
            Frame(text(frame["file"]), whole(frame["line"]), text(frame.get("function") or ""))
            for frame in raw.get("frames") or ()
        ),
    )


def _one_of(value: object, known: tuple[str, ...]) -> str:
    found = text(value)
    if found not in known:
        raise ValueError(f"expected one of {', '.join(known)}, found {found[:40]!r}")
    return found


def _time(value: Any) -> datetime:
    moment = datetime.fromisoformat(text(value))
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
