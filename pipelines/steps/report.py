"""The step `report`: an exit handler, so it runs after every end. It writes result.json and tells the bot."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from pipelines.arguments import unpack
from pipelines.steps import workplace
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.journal import Step, step
from pipelines.steps.masking import mask_address
from pipelines.steps.prefix import Prefix
from pipelines.steps.workplace import Stop

STEPS = {
    "train": ("fetch", "train", "evaluate"),
    "evaluate": ("fetch", "evaluate"),
    "deploy": ("verify", "apply", "smoke-test", "promote"),
}
_NEVER_RAN = {"state": "skipped", "started_at": None, "ended_at": None}
_STATES = ("running", "succeeded", "failed", "skipped", "canceled")
_STEP_FIELDS = ("name", "state", "started_at", "ended_at", "exit_code", "peak_memory_bytes", "cpu_s", "log_tail")


@dataclass(frozen=True, slots=True)
class Request:
    """What the run was asked for, for the record."""

    pipeline: str
    run_id: str
    repository: str
    sha: str
    model: str
    data_address: str
    data_sha: str
    data_path: str
    params: Mapping[str, Any]
    split: Mapping[str, Any]
    lineage: Mapping[str, str]


def report_step(
    *,
    pipeline: str,
    run_id: str,
    run_prefix: str,
    callback_url: str,
    repository: str,
    sha: str,
    model: str,
    data_address: str,
    data_sha: str,
    data_path: str,
    params: object,
    split: object,
    lineage: object,
    final_state: str,
    final_error: str,
    summary_file: str,
) -> None:
    request = Request(
        pipeline=pipeline,
        run_id=run_id,
        repository=repository,
        sha=sha,
        model=model,
        data_address=data_address,
        data_sha=data_sha,
        data_path=data_path,
        params=unpack(params),
        split=unpack(split),
        lineage=unpack(lineage),
    )
    with step("report", run_prefix) as running:
        result = build_result(request, running, final_state, final_error)
        content = json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False).encode("utf-8", "replace")
        running.prefix.write("result.json", content)
        Path(summary_file).write_text(summary(result), "utf-8")
        running.log.say(f"The run {result['state']}.")
    if callback_url:
        from pipelines.steps.callback import call_back

        call_back(callback_url, run_id, lambda line: print(line, file=sys.stderr))  # noqa: T201 - for the engine's log


def build_result(request: Request, running: Step, final_state: str, final_error: str) -> dict[str, Any]:
    """`Result` of the bot's `domain/result.py` as JSON."""
    records = [_record(running.prefix, name) for name in STEPS[request.pipeline]]
    failure = _failure(records, final_state, final_error, workplace.stop() if final_state != "SUCCEEDED" else None)
    outputs: dict[str, Any] = {}
    plots: dict[str, dict[str, Any]] = {}
    for record in records:
        outputs |= record.get("outputs") or {}
        plots |= {plot["path"]: plot for plot in (record.get("outputs") or {}).get("plots", [])}
    data = outputs.get("data")
    now = datetime.now(UTC).isoformat()
    own = {"name": running.name, "state": "succeeded", "started_at": running.started_at.isoformat(), "ended_at": now}
    return {
        "run_id": request.run_id,
        "run_key": request.lineage.get("run_key", ""),
        "pipeline": request.pipeline,
        "pipeline_version": request.lineage.get("pipeline_version", ""),
        "repository": request.repository,
        "sha": request.sha,
        "model": request.model,
        "state": _state(failure),
        "params": request.params,
        "split": request.split,
        "data": {"repository": mask_address(request.data_address), **data} if data else None,
        "steps": [_shown_step(record) for record in (*records, own)],
        "metrics": outputs.get("metrics", {}),
        "plots": list(plots.values()),
        "model_digest": outputs.get("model_digest", ""),
        "model_size_bytes": outputs.get("model_size_bytes", 0),
        "failure": failure,
        "golden_rows": outputs.get("golden_rows", 0),
    }


def _record(prefix: Prefix, name: str) -> dict[str, Any]:
    """The step's own record; of a step that was cut off only that it began, and of one that never ran nothing.

    The model's code could write there, too: what is not a record is taken for none.
    """
    for path in (f"records/{name}.json", f"steps/{name}.json"):
        try:
            record = json.loads(prefix.read(path) or b"null")
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and record.get("state") in _STATES:
            return {**_NEVER_RAN, **record, "name": name}
    return {"name": name, **_NEVER_RAN}


def _failure(
    records: list[dict[str, Any]], final_state: str, final_error: str, stop: Stop | None
) -> dict[str, Any] | None:
    """The first thing that went wrong. What a stop did to the steps is told as the stop."""
    failure = _first_failure(records, final_state, final_error)
    if stop is None or failure is None or failure.get("kind") not in (FailureKind.CANCELED, FailureKind.LOST):
        return failure
    if stop.kind == FailureKind.CANCELED:
        return StepFailed(FailureKind.CANCELED, stop.reason or "The run was canceled.").as_json(failure["step"])
    return StepFailed(stop.kind, stop.reason, fix="Write `/retry` to run it again.").as_json(failure["step"])


def _first_failure(records: list[dict[str, Any]], final_state: str, final_error: str) -> dict[str, Any] | None:
    for record in records:
        if record.get("failure"):
            failure: dict[str, Any] = record["failure"]
            return failure
        if record["state"] == "running":
            record["state"] = "failed"
            return _cut_off(record["name"], final_state, final_error)
    if final_state == "SUCCEEDED":
        return None
    unstarted = next((record["name"] for record in records if record is not records[0] and _is_unstarted(record)), None)
    name = records[0]["name"] if _is_unstarted(records[0]) else unstarted or records[-1]["name"]
    return _cut_off(name, final_state, final_error)


def _is_unstarted(record: dict[str, Any]) -> bool:
    return record["state"] == "skipped" and record["started_at"] is None


def _cut_off(name: str, final_state: str, final_error: str) -> dict[str, Any]:
    if final_state in ("CANCELLED", "CANCELED"):
        return StepFailed(FailureKind.CANCELED, "The run was canceled.").as_json(name)
    reason = f" The engine says: {final_error}" if final_error else ""
    return StepFailed(
        FailureKind.LOST,
        f"The step `{name}` went away without a word.{reason}",
        fix="Its machine or container may have ended, for want of memory for example; try `/retry`.",
    ).as_json(name)


def _state(failure: dict[str, Any] | None) -> str:
    if failure is None:
        return "succeeded"
    return "canceled" if failure["kind"] == FailureKind.CANCELED.value else "failed"


def _shown_step(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record.get(name) for name in _STEP_FIELDS} | {"log_tail": record.get("log_tail") or []}


def summary(result: Mapping[str, Any]) -> str:
    """A small page for Kubeflow's UI. All text is from outside, and escaped."""
    rows = [
        ("Run", result["run_id"]),
        ("Model", result["model"]),
        ("Commit", result["sha"]),
        ("State", result["state"]),
    ]
    if result["failure"]:
        rows.append((f"Failed at {result['failure']['step']}", result["failure"]["message"]))
    rows += [(name, format(metric["value"], ".6g")) for name, metric in result["metrics"].items()]
    cells = "\n".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in rows)
    style = "body{font:14px system-ui}th{text-align:left;padding-right:1em}td{white-space:pre-wrap}"
    return f"<!doctype html>\n<meta charset=utf-8>\n<style>{style}</style>\n<table>\n{cells}\n</table>\n"
