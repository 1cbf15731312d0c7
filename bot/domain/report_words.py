"""The report's plain words and numbers, shared by checks, comments and pages. Text from outside is not escaped here."""

from __future__ import annotations

import json
import math
import signal
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from bot.domain.deployment import DeploymentPhase
from bot.domain.gate import number_text
from bot.domain.project import JsonValue
from bot.domain.report import ModelReport, Report, Standing
from bot.domain.report_deployment_words import SYMBOLS as DEPLOYMENT_SYMBOLS
from bot.domain.report_deployment_words import first_words, headline_words
from bot.domain.run import Phase, StepProgress
from bot.domain.words import plain

TITLE_LIMIT = 200  # characters; GitHub shows about 120 of a check's title
LARGEST_EXACT = 1e15

SYMBOLS = {
    Standing.FAILED: "✗",
    Standing.MISSED: "✗",
    Standing.RUNNING: "●",
    Standing.QUEUED: "○",
    Standing.CANCELED: "–",
    Standing.SUPERSEDED: "–",
    Standing.UNMEASURED: "–",
    Standing.UNGATED: "–",
    Standing.WAIVED: "✓",
    Standing.PASSED: "✓",
}
_COUNTED = {
    Standing.FAILED: "failed",
    Standing.MISSED: "with missed gates",
    Standing.RUNNING: "running",
    Standing.QUEUED: "queued",
    Standing.CANCELED: "canceled",
    Standing.SUPERSEDED: "superseded",
    Standing.UNMEASURED: "without metrics",
    Standing.UNGATED: "without gates",
    Standing.WAIVED: "passed by a waiver",
    Standing.PASSED: "passed",
}


def overall_symbol(report: Report) -> str:
    standings = _standings(report)
    has_failed = any(line.deployment.phase is DeploymentPhase.FAILED for line in report.deployments)
    if has_failed or (report.notice is not None and report.notice.conclusion == "failure"):
        return "✗"
    if not standings and report.deployments:
        return DEPLOYMENT_SYMBOLS[report.deployments[0].deployment.phase]
    return SYMBOLS[standings[0]] if standings else "–"


def overall_words(report: Report) -> str:
    """One line for the whole change: of one model what it has to say, of several how many stand where.

    As in `model_words`, it has to be escaped."""
    if report.notice is not None and report.notice.conclusion == "failure":
        return report.notice.title
    deployed = headline_words(report.deployments)
    if report.models:
        return f"{_models_words(report)}; {deployed}" if deployed else _models_words(report)
    if report.deployments:
        return deployed or first_words(report.deployments[0])
    return report.notice.title if report.notice is not None else "nothing has run yet"


def _models_words(report: Report) -> str:
    if len(report.models) == 1:
        model = report.models[0]
        return f"`{plain(model.name)}`: {verdict_words(model)}"
    counts = Counter(_standings(report))
    if len(counts) == 1 and Standing.PASSED in counts:
        return f"all {len(report.models)} models passed their gates"
    words = [f"{counts[standing]} {_COUNTED[standing]}" for standing in Standing if counts[standing]]
    return f"{len(report.models)} models: {', '.join(words)}"


def _standings(report: Report) -> list[Standing]:
    order = list(Standing)
    return sorted((model.standing for model in report.models), key=order.index)


def model_words(model: ModelReport) -> str:
    """Such as `1 of 3 gates missed: auc >= 0.9` or `train failed: KeyError: 'age'`. May hold code between backticks,
    and text from outside: escape it."""
    match model.standing:
        case Standing.QUEUED:
            return f"queued, place {model.queue_place}" if model.queue_place else "queued"
        case Standing.RUNNING:
            return _running(model)
        case Standing.FAILED:
            return _failed(model)
        case Standing.CANCELED:
            by = model.run.cancel_requested_by
            return f"canceled by {by}" if by else "canceled"
        case Standing.SUPERSEDED:
            return "superseded: a newer commit or request took its place"
        case Standing.UNMEASURED:
            return "no metrics and no gates: nothing was measured"
        case _:
            summary = model.judgement.summary if model.judgement else ""
            return f"{summary} (reused)" if model.is_reused else summary


def verdict_words(model: ModelReport) -> str:
    """The same for a heading that the failure's own words follow."""
    failure = model.result.failure if model.result else None
    if model.standing is Standing.FAILED and failure is not None:
        return f"`{plain(failure.step)}` failed"
    return model_words(model)


def _running(model: ModelReport) -> str:
    if model.run.cancel_requested_by is not None:
        return "being canceled"
    if model.run.phase is Phase.STARTING or not model.progress:
        return "starting"
    step = current_step(model.progress)
    if step is None:
        return "finishing"
    place = model.progress.index(step) + 1
    return f"running {step.name}, step {place} of {len(model.progress)}"


def current_step(progress: Sequence[StepProgress]) -> StepProgress | None:
    """The step that runs now, else the one that comes next."""
    running = [step for step in progress if step.state == "running"]
    return next(iter(running or [step for step in progress if step.state == "pending"]), None)


def _failed(model: ModelReport) -> str:
    failure = model.result.failure if model.result else None
    if failure is None:
        return "failed without a word"
    first_line = next((line.strip() for line in failure.message.splitlines() if line.strip()), "")
    return f"{failure.step} failed: {first_line}" if first_line else f"{failure.step} failed"


def shown_number(value: float) -> str:
    """Five digits, which is as much as most metrics mean: 0.95804, 61.213, 31240.5, 1.5e-07."""
    if 1e4 <= abs(value) < LARGEST_EXACT and value != int(value):
        return f"{value:.1f}"
    return number_text(value, digits=5)


def shown_delta(now: float, base: float) -> str:
    """With its sign, and in percent where that says more: `+0.013986 (+1.5 %)`."""
    delta = now - base
    if delta == 0 or not math.isfinite(delta):
        return "0" if delta == 0 else "–"
    sign = "+" if delta > 0 else "−"
    absolute = f"{sign}{number_text(abs(delta), digits=3)}"
    if base == 0:
        return absolute
    percent = abs(delta / base) * 100
    if not 0.005 <= percent < 1000:
        return absolute
    return f"{absolute} ({sign}{percent:.{2 if percent < 0.1 else 1}f} %)"


def shown_value(value: JsonValue, *, limit: int = 60) -> str:
    """A param's value as JSON, cut short; text without its quotes."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def shown_share(share: float) -> str:
    return f"{share * 100:.1f} %"


def shown_exit(exit_code: int | None) -> str:
    """Such as `exit code 1`, or `ended by SIGKILL` of what a signal ended; nothing of success."""
    if not exit_code:
        return ""
    if exit_code > 0:
        return f"exit code {exit_code}"
    try:
        return f"ended by {signal.Signals(-exit_code).name}"
    except ValueError:  # a real-time signal, or a number that a result file made up
        return f"ended by signal {-exit_code}"


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())


def shown_duration(seconds: float | None) -> str:
    """0.4 s, 12 s, 3 min 5 s, 2 h 4 min."""
    if seconds is None:
        return ""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def shown_bytes(size: int | None) -> str:
    """512 B, 1.5 MiB."""
    if size is None:
        return ""
    amount, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
