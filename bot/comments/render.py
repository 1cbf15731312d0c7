"""The living comment of a change, and the summaries of its checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from bot.comments.blocks import model_blocks
from bot.comments.deployments import deployment_block, deployment_blocks
from bot.comments.escape import Markdown, prose, sentences
from bot.comments.facts import trend_words, whole_duration_s
from bot.comments.fit import Block, fit
from bot.comments.templating import render
from bot.domain.check import Check
from bot.domain.feedback import Notice
from bot.domain.report import ModelReport, Report, Standing
from bot.domain.report_checks import (
    NOTICE_CHECK,
    check_name,
    checked_deployments,
    checks_of,
    deployment_check_name,
)
from bot.domain.report_words import SYMBOLS, TITLE_LIMIT, model_words, overall_symbol, overall_words

MARKER: Final = "<!-- mlops-bot:change -->"
SMALLEST_LIMIT = 8000  # characters; the headline of the longest words fits
SHOWN_ROWS = 25
NAMED_CUTS = 6
ROW_WORDS = 80  # characters
NOTICE_LINES = (60, 15)


def render_comment(report: Report, *, limit: int) -> str:
    """GitHub-flavoured Markdown of at most `limit` characters (not less than SMALLEST_LIMIT), marker included."""
    several = len(report.models) > 1
    blocks = [_headline(report)]
    if report.notice is not None:
        blocks.append(_notice(report.notice, heading=bool(report.models)))
    blocks += deployment_blocks(report.deployments, report.links)
    is_alone = len(blocks) == 1 and not several
    for model in report.models:
        blocks += model_blocks(model, report, heading=not is_alone)
    return _fit(blocks, report, limit)


def render_checks(report: Report, *, limit: int) -> list[Check]:
    """The checks with their summaries in Markdown, each of at most `limit` characters."""
    blocks = _summaries(report)
    return [replace(check, summary=_fit(blocks[check.name, check.sha], report, limit)) for check in checks_of(report)]


def _summaries(report: Report) -> dict[tuple[str, str], list[Block]]:
    """What each check says, by its name and commit."""
    blocks = {
        (check_name(model.name), model.run.sha): model_blocks(model, report, heading=False) for model in report.models
    }
    for line in checked_deployments(report):
        place = (deployment_check_name(line.deployment), line.deployment.sha)
        blocks[place] = [deployment_block(line, report.links, heading=False)]
    if report.notice is not None:
        blocks[NOTICE_CHECK, report.notice.sha] = [_notice(report.notice, heading=False)]
    return blocks


def _fit(blocks: Sequence[Block], report: Report, limit: int) -> str:
    def note(names: Sequence[str]) -> str:
        return render(
            "cut",
            names=[Markdown(name) for name in names[:NAMED_CUTS]],
            more=max(0, len(names) - NAMED_CUTS),
            page=report.page,
        )

    return fit(blocks, limit=max(limit, SMALLEST_LIMIT), note=note)


def _headline(report: Report) -> Block:
    worst_first = sorted(report.models, key=lambda model: list(Standing).index(model.standing))
    rows = [_row(model) for model in worst_first] if len(report.models) > 1 else []
    with_rows = _headline_text(report, rows)
    return Block(
        "the table of models", 100, (with_rows, _headline_text(report, [])) if rows else (with_rows,), kept=True
    )


def _headline_text(report: Report, rows: Sequence[dict[str, Any]]) -> Markdown:
    return render(
        "headline",
        marker=Markdown(MARKER),
        symbol=overall_symbol(report),
        words=prose(overall_words(report), limit=TITLE_LIMIT),
        report=report,
        rows=rows[:SHOWN_ROWS],
        more_rows=max(0, len(rows) - SHOWN_ROWS),
    )


def _row(model: ModelReport) -> dict[str, Any]:
    metric = next((line for line in model.metrics if line.now is not None), None)
    return {
        "model": model,
        "symbol": SYMBOLS[model.standing],
        "words": prose(model_words(model), limit=ROW_WORDS),
        "metric": metric,
        "trend": trend_words(metric) if metric else "",
        "took": whole_duration_s(model.result),
    }


def _notice(notice: Notice, *, heading: bool) -> Block:
    """The body's lines are escaped again, whoever made them; code between backticks and lists stay."""
    title = prose(notice.title, limit=TITLE_LIMIT) or Markdown("Something is to be said of this commit")
    lines = notice.body.splitlines()
    variants = [
        render("notice", heading=heading, title=title, body=sentences(lines[:count]), more=max(0, len(lines) - count))
        for count in NOTICE_LINES
    ]
    return Block("what is said of this commit", 95, (*variants, Markdown(f"**{title}**")), kept=True)
