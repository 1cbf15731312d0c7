"""Jinja2 with Markdown in place of HTML: whatever a template puts out is escaped, unless it is Markdown already."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.comments.escape import Markdown, code_span, fenced, link, md_escape, prose, shell_block
from bot.domain import report_words

_STEP_SYMBOLS = {"pending": "○", "running": "●", "succeeded": "✓", "failed": "✗", "skipped": "–", "canceled": "–"}


class StepSymbols(dict[str, str]):
    """A state that we do not know comes from a run, and is shown as none."""

    def __init__(self) -> None:
        super().__init__(_STEP_SYMBOLS)

    def __missing__(self, _state: str) -> str:
        return "·"


def render(template: str, **values: Any) -> Markdown:
    """Templates are files of ours, `templates/<template>.md.j2`; text from outside is only ever a value."""
    return Markdown(_ENVIRONMENT.get_template(f"{template}.md.j2").render(values).strip("\n"))


def _escaped(value: object) -> str:
    return value if isinstance(value, Markdown) else md_escape(str(value))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bot.comments"),
        autoescape=False,  # noqa: S701  # that is for HTML; `finalize` escapes for Markdown
        finalize=_escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "code": code_span,
        "prose": prose,
        "fenced": fenced,
        "shell": shell_block,
        "link": link,
        "short": lambda sha: code_span(sha[:10]),
        "number": lambda value: Markdown(report_words.shown_number(value)),
        "delta": lambda pair: Markdown(report_words.shown_delta(pair[0].value, pair[1].value)),
        "md": Markdown,  # of what a macro has put together, escaped already
        "share": lambda value: Markdown(report_words.shown_share(value)),
        "duration": lambda seconds: Markdown(report_words.shown_duration(seconds)),
        "bytes": lambda size: Markdown(report_words.shown_bytes(size)),
        "value": lambda value: code_span(report_words.shown_value(value)),
        "exit": lambda step: Markdown(report_words.shown_exit(step.exit_code)),
        "took": lambda step: report_words.seconds_between(step.started_at, step.ended_at),
    }
    return environment


_ENVIRONMENT = _environment()
