"""The model card of a version: Hugging Face's metadata for programs, then what made the version, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from bot.comments.escape import code_span, one_line
from bot.comments.facts import RESULT_WORDS, trend_words
from bot.comments.templating import render
from bot.domain.gate import Gate, GateSyntaxError, Judgement, judge, parse_gate
from bot.domain.project import JsonValue
from bot.domain.report_diff import compare_metrics
from bot.domain.version import VersionLock

SHOWN_METRICS = 200
SHOWN_PARAMS = 200
SHOWN_GATES = 100
_LONGEST_TEXT = 300  # characters
# runtimes of `serve:` that the Hub knows as a library
# (huggingface.js, packages/tasks/src/model-libraries.ts, and hub-docs, modelcard.md)
_LIBRARIES = {"sklearn": "sklearn", "xgboost": "xgboost", "lightgbm": "lightgbm", "onnx": "onnx"}


def model_card(
    lock: VersionLock,
    *,
    production: VersionLock | None = None,
    judgement: Judgement | None = None,
    approved_by: Sequence[str] = (),
    requested_by: str,
    repository: str,
) -> str:
    """`repository` is its key. `production` is what served there when the version was made. `judgement` is what the
    gates said then; without one, they are held against the version's own metrics and those of `production`."""
    gates = _gates(lock.gates)
    served = None if production is None else _values(production)
    said = judgement or judge(gates, metrics=_values(lock), base=None, production=served)
    lines = compare_metrics(lock.metrics, production.metrics if production is not None else None, gates)
    text = render(
        "model_card",
        lock=lock,
        repository=repository.partition("/")[2],
        requested_by=requested_by,
        approved_by=approved_by,
        production=production,
        lines=lines[:SHOWN_METRICS],
        more_metrics=max(0, len(lines) - SHOWN_METRICS),
        trend_words=trend_words,
        params=sorted(lock.params.items())[:SHOWN_PARAMS],
        more_params=max(0, len(lock.params) - SHOWN_PARAMS),
        made_with=[*_part("split", lock.split), *_part("environment", lock.environment)],
        judgement=said,
        gates=render("gates", outcomes=said.outcomes[:SHOWN_GATES], more=0, result_words=RESULT_WORDS)
        if said.outcomes
        else "",
        reproduce=code_span(f"mlops-bot reproduce {lock.tag}"),
    )
    return f"---\n{_front_matter(lock, repository)}---\n\n{text}\n"


def card_text(card: str) -> str:
    """What people read of a card: all but the metadata."""
    head, end, text = card.partition("\n---\n")
    return text.lstrip("\n") if end and head.startswith("---\n") else card


def _part(title: str, values: Mapping[str, JsonValue]) -> list[tuple[str, JsonValue]]:
    return [(f"{title}: {name}", value) for name, value in sorted(values.items()) if value not in ("", None)]


def _front_matter(lock: VersionLock, repository: str) -> str:
    metadata: dict[str, Any] = {}
    if lock.serve in _LIBRARIES:
        metadata["library_name"] = _LIBRARIES[lock.serve]
    metadata["tags"] = list(dict.fromkeys(filter(None, ("mlops-bot", lock.serve, lock.model))))
    metadata["metrics"] = sorted(_fit(name) for name in lock.metrics)[:SHOWN_METRICS]
    metadata["model-index"] = [{"name": lock.model, "results": _results(lock)}]
    metadata["version"] = str(lock.number)
    metadata["repository"] = _fit(repository.partition("/")[2])
    shown = {name: value for name, value in metadata.items() if value}
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=1000)


def _results(lock: VersionLock) -> list[dict[str, Any]]:
    """What the Hub requires of one: task and dataset with their types, metrics with type and value (hub-docs,
    modelcard.md). Nobody tells us the task."""
    if not lock.metrics:
        return []
    dataset = {"type": _fit(lock.data_path) or "unknown", "name": _fit(lock.data_path) or "unknown"}
    if lock.data_sha:
        dataset["revision"] = lock.data_sha
    metrics = [
        {"type": _fit(name), "value": metric.value, "name": _fit(name)}
        for name, metric in sorted(lock.metrics.items())[:SHOWN_METRICS]
    ]
    return [{"task": {"type": "other"}, "dataset": dataset, "metrics": metrics}]


def _fit(text: str) -> str:
    return one_line(text, limit=_LONGEST_TEXT)


def _values(lock: VersionLock) -> dict[str, float]:
    return {name: metric.value for name, metric in lock.metrics.items()}


def _gates(texts: Sequence[str]) -> list[Gate]:
    """Those that can be read: a lock may be from a bot that knew others."""
    gates = []
    for text in texts:
        try:
            gates.append(parse_gate(text))
        except GateSyntaxError:
            continue
    return gates
