"""The parts of a model's section, each whole in itself, so that any of them can be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.comments.escape import Markdown, code_span, md_escape, prose, url
from bot.comments.facts import (
    RESULT_WORDS,
    base_name,
    change_facts,
    gate_words,
    lineage_rows,
    model_facts,
    model_hint,
    production_name,
    shift_words,
    trend_words,
    whole_duration_s,
)
from bot.comments.fit import Block
from bot.comments.templating import StepSymbols, render
from bot.domain.gate import Judgement
from bot.domain.plots import BadPlot, ConfusionMatrix, Curve
from bot.domain.report import ModelReport, PlotLine, Report, Standing
from bot.domain.report_words import SYMBOLS, TITLE_LIMIT, shown_number, verdict_words
from bot.domain.result import PlotKind, Result

# How much of each is shown; the rest is counted, and on the page
SHOWN_GATES = 30
SHOWN_METRICS = 30
SHOWN_PARAMS = 20
SHOWN_SHIFTS = 10
SHOWN_CLASSES = 10
SHOWN_CONFUSIONS = 10
SHOWN_PLOTS = 12
SHOWN_STEPS = 20
SHOWN_NOTES = 10
SHOWN_FRAMES = 10
SHORT_LOG = 10  # lines


def model_blocks(model: ModelReport, report: Report, *, heading: bool) -> list[Block]:
    """In the order of reading. `importance` says what stays longest; what has gone wrong outlives what went well."""
    worry = 1 if model.standing in (Standing.FAILED, Standing.MISSED) else 0
    parts: list[tuple[str, int, Sequence[Markdown]]] = [
        ("verdict", 90, [_verdict(model, report, heading=heading)]),
        ("failure", 88, _failure(model)),
        ("log", 50, _log(model)),
        ("notes", 74, _notes(model)),
        ("gates", 80, _gates(model)),
        ("metrics", 70, _metrics(model, report)),
        ("changes", 60, _changes(model, report)),
        ("facts", 66, [_facts(model, report)]),
        ("confusion matrix", 40, _confusion(model)),
        ("plots", 30, _plots(model, report)),
        ("steps", 20, _steps(model, report)),
        ("lineage", 10, _lineage(model)),
    ]
    return [
        Block(f"{name} of {code_span(model.name)}", importance + worry, tuple(text for text in variants if text))
        for name, importance, variants in parts
        if variants
    ]


def _verdict(model: ModelReport, report: Report, *, heading: bool) -> Markdown:
    return render(
        "model",
        heading=heading,
        model=model,
        symbol=SYMBOLS[model.standing],
        words=prose(verdict_words(model), limit=TITLE_LIMIT),
        reused_words=Markdown(f"run {code_span(model.files_run)}"),
        reused_address=report.links.run(model.files_run) if report.links else "",
        step_symbols=StepSymbols(),
    )


def _facts(model: ModelReport, report: Report) -> Markdown:
    hint = model_hint(model, report)
    return Markdown(f"{model_facts(model, report)}\n\n{hint}" if hint else model_facts(model, report))


def _failure(model: ModelReport) -> list[Markdown]:
    failure = model.result.failure if model.result else None
    if failure is None or model.standing is not Standing.FAILED:
        return []
    frames = failure.frames[-SHOWN_FRAMES:]
    return [render("failure", failure=failure, frames=frames[::-1])]


def _log(model: ModelReport) -> list[Markdown]:
    if not model.log:
        return []
    short = [render("log", lines=model.log[-SHORT_LOG:])] if len(model.log) > SHORT_LOG else []
    return [render("log", lines=model.log), *short]


def _notes(model: ModelReport) -> list[Markdown]:
    notes = [prose(note) for note in model.run.notes[:SHOWN_NOTES]]
    notes += [
        Markdown(
            f"{md_escape(waiver.granted_by)} waived {code_span(waiver.gate)} until {waiver.expires_at:%Y-%m-%d}"
            f" ({md_escape(waiver.reason)}); the waiver is not needed."
        )
        for waiver in model.waivers[:SHOWN_NOTES]
    ]
    return [render("notes", notes=notes)] if notes else []


def _gates(model: ModelReport) -> list[Markdown]:
    return [gate_table(model.judgement)] if model.judgement and model.judgement.outcomes else []


def gate_table(judgement: Judgement) -> Markdown:
    ordered = sorted(judgement.outcomes, key=lambda outcome: outcome.passes)  # stable: what was missed comes first
    more = max(0, len(ordered) - SHOWN_GATES)
    return render("gates", outcomes=ordered[:SHOWN_GATES], more=more, result_words=RESULT_WORDS)


def _metrics(model: ModelReport, report: Report) -> list[Markdown]:
    if not model.metrics:
        return []
    return [
        render(
            "metrics",
            lines=model.metrics[:SHOWN_METRICS],
            more=max(0, len(model.metrics) - SHOWN_METRICS),
            base_name=base_name(report) if model.base else "",
            production_name=production_name(model),
            gates=gate_words(model.judgement),
            no_base=Markdown(f"There is no result on {base_name(report)} yet to compare with.")
            if report.target_branch
            else "",
            trend_words=trend_words,
        )
    ]


def _changes(model: ModelReport, report: Report) -> list[Markdown]:
    if model.base is None or model.result is None:
        return []
    facts = change_facts(model)
    shifts = model.data.shifts if model.data else ()
    more_params = max(0, len(model.params) - SHOWN_PARAMS)
    more_shifts = max(0, len(shifts) - SHOWN_SHIFTS)
    more = [f"{more_params} more params"] * bool(more_params) + [f"{more_shifts} more columns"] * bool(more_shifts)
    is_data_known = model.data is not None or model.result.failure is None
    return [
        render(
            "changes",
            same="params and data" if is_data_known else "params",
            base_name=base_name(report),
            is_same=not facts,
            facts=facts,
            params=model.params[:SHOWN_PARAMS],
            shifts=shifts[:SHOWN_SHIFTS],
            shift_words=shift_words,
            more=f"and {' and '.join(more)}" if more else "",
        )
    ]


def _confusion(model: ModelReport) -> list[Markdown]:
    matrices = [line.parsed for line in model.plots if isinstance(line.parsed, ConfusionMatrix)]
    return [
        render(
            "confusion",
            matrix=matrix,
            classes=matrix.classes if len(matrix.classes) <= SHOWN_CLASSES else (),
            confusions=matrix.confusions()[:SHOWN_CONFUSIONS],
        )
        for matrix in matrices[:1]
    ]


def _plots(model: ModelReport, report: Report) -> list[Markdown]:
    lines = model.plots[:SHOWN_PLOTS]
    good = [line for line in lines if not isinstance(line.parsed, BadPlot)]
    pictures = [_picture(line, model, report) for line in good if line.plot.kind in (PlotKind.CURVE, PlotKind.IMAGE)]
    files = [
        {"title": _plot_title(line), "address": report.links.file(model.files_run, line.plot.path)}
        for line in good
        if line.plot.kind is PlotKind.VEGA_LITE and report.links
    ]
    problems = [line for line in lines if isinstance(line.parsed, BadPlot)]
    if not (pictures or files or problems):
        return []
    count = len(pictures) + len(files)
    title = f"{count} plots" if count > 1 else "1 plot"
    return [render("plots", pictures=pictures, files=files, problems=problems, title=title)]


def _picture(line: PlotLine, model: ModelReport, report: Report) -> dict[str, Any]:
    address = (
        url(report.links.plot(model.files_run, line.plot.path, made_at=model.run.ended_at)) if report.links else ""
    )
    return {"title": _plot_title(line), "address": Markdown(address)}


def _plot_title(line: PlotLine) -> Markdown:
    title = md_escape(line.plot.title or line.plot.path, limit=100)
    if isinstance(line.parsed, Curve) and line.parsed.area is not None:
        return Markdown(f"{title} (area {shown_number(line.parsed.area)})")
    return title


def _steps(model: ModelReport, report: Report) -> list[Markdown]:
    if model.result is None or not model.result.steps:
        return []

    def log_address(step: str) -> str:
        return report.links.log(model.files_run, step) if report.links else ""

    return [
        render(
            "steps",
            steps=model.result.steps[:SHOWN_STEPS],
            total=whole_duration_s(model.result),
            step_symbols=StepSymbols(),
            log_address=log_address,
        )
    ]


def _lineage(model: ModelReport) -> list[Markdown]:
    result: Result | None = model.result
    return [render("lineage", rows=lineage_rows(model, result))] if result else []
