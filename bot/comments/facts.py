"""The small sentences of a model's section, as Markdown."""

from __future__ import annotations

import math

from bot.comments.escape import Markdown, code_span, link, md_escape
from bot.domain.gate import GateOutcome, Judgement, Outcome
from bot.domain.report import ModelReport, Report, Standing
from bot.domain.report_diff import ColumnShift, DataDiff, Difference, MetricLine, Trend
from bot.domain.report_words import (
    seconds_between,
    shown_bytes,
    shown_duration,
    shown_share,
    shown_value,
)
from bot.domain.result import DataSummary, Result

SHORT_SHA = 10  # characters
SHOWN_NAMES = 8
RESULT_WORDS = {
    Outcome.PASSED: "✓ passed",
    Outcome.FAILED: "✗ missed",
    Outcome.NO_INCUMBENT: "✓ no incumbent",
    Outcome.WAIVED: "✓ waived",
}
_WORST_FIRST = (Outcome.FAILED, Outcome.WAIVED, Outcome.PASSED, Outcome.NO_INCUMBENT)
_TREND_WORDS = {Trend.BETTER: "better", Trend.WORSE: "worse", Trend.CHANGED: "", Trend.SAME: ""}


def base_name(report: Report) -> Markdown:
    """What a result is compared with: the target branch, or on a branch itself what was there before."""
    return code_span(report.target_branch) if report.target_branch else Markdown("the run before")


def production_name(model: ModelReport) -> Markdown:
    return Markdown(f"production {code_span(model.production.version)}") if model.production else Markdown("")


def gate_words(judgement: Judgement | None) -> dict[str, Markdown]:
    """For each metric that gates ask for, what they say of it together, the worst of them."""
    by_metric: dict[str, list[GateOutcome]] = {}
    for outcome in judgement.outcomes if judgement else ():
        by_metric.setdefault(outcome.gate.metric, []).append(outcome)
    return {metric: _worst_words(outcomes) for metric, outcomes in by_metric.items()}


def _worst_words(outcomes: list[GateOutcome]) -> Markdown:
    worst = min(outcomes, key=lambda one: _WORST_FIRST.index(one.outcome))
    if worst.waiver is not None:
        return Markdown(f"✓ waived until {worst.waiver.expires_at:%Y-%m-%d}")
    return Markdown(RESULT_WORDS[worst.outcome])


def trend_words(line: MetricLine | Difference) -> Markdown:
    """` ↑ better`, after a space; a difference that the scatter explains is called so."""
    if line.trend in (None, Trend.SAME) or line.delta is None:
        return Markdown("")
    arrow = "↑" if line.delta > 0 else "↓"
    words = _TREND_WORDS[line.trend] if line.trend else ""
    return Markdown(f" {arrow} {words}".rstrip() + (" (within std)" if line.within_std else ""))


def shift_words(shift: ColumnShift) -> Markdown:
    if not math.isfinite(shift.size):
        return Markdown("was constant")
    return Markdown(f"{'+' if shift.now > shift.was else '−'}{shift.size:.2f} std")


def model_facts(model: ModelReport, report: Report) -> Markdown:
    """One line: where the run and its log are to be seen, how long it took, from what."""
    run_address = report.links.run(model.run.id) if report.links else ""
    facts = [link(Markdown(f"run {code_span(model.run.id)}"), run_address)]
    if model.result and model.result.failure and model.standing is Standing.FAILED and report.links:
        facts.append(link("whole log", report.links.log(model.files_run, model.result.failure.step)))
    seconds = whole_duration_s(model.result)
    if seconds is not None and not model.is_reused:
        facts.append(Markdown(f"took {shown_duration(seconds)}"))
    if model.run.sha != report.subject.sha:
        facts.append(Markdown(f"of the earlier commit {code_span(model.run.sha[:SHORT_SHA])}"))
    data = model.result.data if model.result else None
    if data is not None:
        facts.append(Markdown(f"data {code_span(data.path)} at {code_span(data.sha[:SHORT_SHA])}"))
    if model.base is not None:
        at = link(code_span(model.base.sha[:SHORT_SHA]), report.links.run(model.base.id) if report.links else "")
        facts.append(Markdown(f"{base_name(report)} is at {at}"))
    return Markdown(" · ".join(facts))


def model_hint(model: ModelReport, report: Report) -> Markdown:
    """What somebody may do next by a comment on the change. Where nobody serves pages, there are no comments either."""
    if report.subject.number is None or report.links is None:
        return Markdown("")
    match model.standing:
        case Standing.MISSED:
            return Markdown(f"To let it pass all the same, with a reason: {override_words(model.judgement)}.")
        case Standing.CANCELED | Standing.FAILED:
            return Markdown(f"To run it again as it is: {code_span(f'/retry {model.name}')}.")
        case Standing.UNGATED:
            return Markdown("To require something of it, write `gates:` below `evaluate:` in `mlops.yaml`.")
        case _:
            return Markdown("")


def override_words(judgement: Judgement | None) -> str:
    """A command for each missed gate, which names it by its metric where that is enough."""
    outcomes = judgement.outcomes if judgement else ()
    metrics = [one.gate.metric for one in outcomes]
    missed = [one.gate for one in outcomes if one.outcome is Outcome.FAILED]
    names = [gate.metric if metrics.count(gate.metric) == 1 else f'"{gate.text}"' for gate in missed]
    return " and ".join(str(code_span(f"/override {name} <reason>")) for name in names)


def change_facts(model: ModelReport) -> list[Markdown]:
    """What differs from the incumbent's run besides the code: empty when nothing does."""
    facts = []
    if model.params:
        facts.append(Markdown("1 param" if len(model.params) == 1 else f"{len(model.params)} params"))
    if model.data is not None and not model.data.is_same:
        facts += _data_facts(model.data)
    elif model.data is None and model.result and model.base and model.base.result:
        now, was = model.result.data, model.base.result.data
        may_lack_it = model.result.failure is not None  # it may have ended before it had its data
        if (now is None) != (was is None) and not may_lack_it:
            facts.append(Markdown("data added" if was is None else "data no longer used"))
    return facts


def _data_facts(diff: DataDiff) -> list[Markdown]:
    facts = [Markdown(f"data {_from_to(diff.was, diff.now)}")]
    if diff.added:
        facts.append(Markdown(f"columns added: {_names(diff.added)}"))
    if diff.removed:
        facts.append(Markdown(f"columns removed: {_names(diff.removed)}"))
    facts += [
        Markdown(f"missing in {code_span(change.name)} {shown_share(change.was)} → {shown_share(change.now)}")
        for change in diff.missing[:SHOWN_NAMES]
    ]
    if diff.shifts:
        facts.append(Markdown("1 column shifted" if len(diff.shifts) == 1 else f"{len(diff.shifts)} columns shifted"))
    return facts


def _from_to(was: DataSummary, now: DataSummary) -> str:
    shas = f"{code_span(was.sha[:SHORT_SHA])} → {code_span(now.sha[:SHORT_SHA])}" if was.sha != now.sha else ""
    if was.rows is not None and now.rows is not None:
        size = f"{was.rows} → {now.rows} rows"
        size += f" ({now.rows - was.rows:+d})" if was.rows != now.rows else ""
    else:
        size = f"{was.files} → {now.files} files, {shown_bytes(was.size_bytes)} → {shown_bytes(now.size_bytes)}"
    return f"{shas}, {size}" if shas else size


def _names(names: tuple[str, ...]) -> str:
    shown = [str(code_span(name)) for name in names[:SHOWN_NAMES]]
    return " ".join([*shown, f"and {len(names) - SHOWN_NAMES} more"] if len(names) > SHOWN_NAMES else shown)


def whole_duration_s(result: Result | None) -> float | None:
    """From the first step's start to the last one's end."""
    if result is None:
        return None
    starts = [step.started_at for step in result.steps if step.started_at]
    ends = [step.ended_at for step in result.steps if step.ended_at]
    return seconds_between(min(starts), max(ends)) if starts and ends else None


def lineage_rows(model: ModelReport, result: Result) -> list[tuple[Markdown, Markdown]]:
    rows = [
        ("commit", code_span(result.sha)),
        ("asked for by", md_escape(model.run.requested_by)),
        ("pipeline", Markdown(f"{code_span(result.pipeline)} {code_span(result.pipeline_version)}")),
        ("run key", code_span(result.run_key)),
    ]
    if result.data is not None:
        data = result.data
        rows.append(("data", Markdown(f"{code_span(data.repository)} {code_span(data.path)} at {code_span(data.sha)}")))
        rows.append(("data digest", code_span(data.digest)))
    for title, values in (("params", result.params), ("split", result.split)):
        if values:
            shown = [f"{name}={shown_value(value)}" for name, value in sorted(values.items())]
            rows.append((title, code_span(" ".join(shown), limit=1000)))
    if result.model_digest:
        size = shown_bytes(result.model_size_bytes)
        rows.append(("model", Markdown(f"{code_span(result.model_digest)} ({size})")))
    return [(Markdown(name), value) for name, value in rows]
