"""What would go live against what serves: metrics, data, params, size and digest, a row each."""

from __future__ import annotations

from bot.comments.escape import Markdown, code_span
from bot.comments.facts import SHORT_SHA, trend_words
from bot.domain.project import JsonValue
from bot.domain.report_deployments import DeploymentLine
from bot.domain.report_diff import MetricLine, compare_metrics, compare_params
from bot.domain.report_versions import VersionFacts
from bot.domain.report_words import shown_bytes, shown_delta, shown_number, shown_value
from bot.domain.result import Metric

SHORT_DIGEST = 19  # characters: `sha256:` and twelve more
NOTHING = Markdown("–")

Row = tuple[Markdown, Markdown, Markdown, Markdown]  # what, would go live, serves now, how they differ


def comparison_rows(line: DeploymentLine) -> list[Row]:
    if line.candidate is None:
        return []
    now, was = line.candidate, line.live
    gates = [outcome.gate for outcome in line.judgement.outcomes] if line.judgement else []
    metrics = compare_metrics(now.metrics, was.metrics if was else None, gates)
    return [
        *(_metric_row(metric, compared=was is not None) for metric in metrics),
        _data_row(now, was),
        *_param_rows(now, was),
        (
            Markdown("model size"),
            Markdown(shown_bytes(now.model_size_bytes)),
            Markdown(shown_bytes(was.model_size_bytes)) if was else NOTHING,
            Markdown(""),
        ),
        (
            Markdown("digest"),
            _digest(now),
            _digest(was),
            _same(was is not None and now.model_digest == was.model_digest),
        ),
        (Markdown("commit"), _sha(now), _sha(was), _same(was is not None and now.sha == was.sha)),
    ]


def _metric_row(line: MetricLine, *, compared: bool) -> Row:
    difference = Markdown("")
    if line.now is not None and line.base is not None:
        difference = Markdown(f"{shown_delta(line.now.value, line.base.value)}{trend_words(line)}")
    elif compared:
        difference = Markdown("new" if line.now is not None else "no longer reported")
    return code_span(line.name), _metric(line.now), _metric(line.base), difference


def _metric(metric: Metric | None) -> Markdown:
    if metric is None:
        return NOTHING
    scatter = f" ± {shown_number(metric.std)}" if metric.std is not None else ""
    return Markdown(f"{shown_number(metric.value)}{scatter}")


def _data_row(now: VersionFacts, was: VersionFacts | None) -> Row:
    difference = Markdown("")
    if was is not None and now.data is not None and was.data is not None:
        is_same = now.data.digest == was.data.digest if now.data.digest else now.data.sha == was.data.sha
        if is_same:
            difference = Markdown("same")
        elif now.data.rows is not None and was.data.rows is not None and now.data.rows != was.data.rows:
            difference = Markdown(f"{now.data.rows - was.data.rows:+d} rows".replace("-", "−"))
        else:
            difference = Markdown("changed")
    return Markdown("data"), _data(now), _data(was), difference


def _data(facts: VersionFacts | None) -> Markdown:
    if facts is None or facts.data is None:
        return NOTHING
    rows = f", {facts.data.rows} rows" if facts.data.rows is not None else ""
    return Markdown(f"{code_span(facts.data.path)} at {code_span(facts.data.sha[:SHORT_SHA])}{rows}")


def _param_rows(now: VersionFacts, was: VersionFacts | None) -> list[Row]:
    """Those that differ; all of them where nothing serves yet."""
    if was is None:
        return [
            (code_span(name), _value((value,)), NOTHING, Markdown("")) for name, value in sorted(now.params.items())
        ]
    changes = compare_params(now, was)
    if not changes:
        same = Markdown("same")
        return [(Markdown("params"), same, same, Markdown(""))]
    return [(code_span(one.name), _value(one.now), _value(one.was), Markdown("changed")) for one in changes]


def _value(value: tuple[JsonValue] | None) -> Markdown:
    return NOTHING if value is None else code_span(shown_value(value[0]))


def _digest(facts: VersionFacts | None) -> Markdown:
    return code_span(facts.model_digest[:SHORT_DIGEST]) if facts is not None and facts.model_digest else NOTHING


def _sha(facts: VersionFacts | None) -> Markdown:
    return code_span(facts.sha[:SHORT_SHA]) if facts is not None and facts.sha else NOTHING


def _same(is_same: bool) -> Markdown:
    return Markdown("same" if is_same else "")
