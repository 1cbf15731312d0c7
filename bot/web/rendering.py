"""Templates, and how numbers, times and sizes are written on the pages."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bot.domain.clock import Clock
from bot.domain.gate.verdict import number_text
from bot.domain.links import Links
from bot.domain.plots import BadPlot, ConfusionMatrix, Curve
from bot.domain.report_words import shown_bytes
from bot.markdown.html import to_html

HERE = Path(__file__).parent
STATIC = HERE / "static"

# what `live.py` leaves out of a fragment's digest, and `app.js` keeps current
_AGO = Markup('<time data-ticks data-ago datetime="{}" title="{}">{}</time>')
_SINCE = Markup('<time data-ticks data-since datetime="{}" title="{}">{}</time>')


class Renderer:
    """Every value is escaped; only `Markup`, which Markdown becomes after it was cleaned, is not."""

    def __init__(self, clock: Clock, *, own_address: str) -> None:
        self._clock = clock
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(
            ago=self.ago,
            ticking=self.ticking,
            size=shown_bytes,
            number=number_text,
            short=short_sha,
            json=json_text,
            signed=signed_number,
            markdown=partial(markdown, own_address=own_address),
            coded=coded,
            zip=zip,
        )
        self._environment.tests.update(
            matrix=lambda plot: isinstance(plot, ConfusionMatrix),
            curve=lambda plot: isinstance(plot, Curve),
            problem=lambda plot: isinstance(plot, BadPlot),
        )
        self._environment.globals.update(links=Links(), static=static_address, took=took)

    def page(self, template: str, **values: Any) -> Markup:
        """A page, or a part of one that other templates may put in place as it is."""
        return Markup(self._environment.get_template(template).render(values))  # noqa: S704 - the template escaped it

    def ago(self, moment: datetime | None) -> Markup:
        """When something was, as people say it; the page keeps it current."""
        if moment is None:
            return Markup("—")
        words = ago_text((self._clock() - moment).total_seconds())
        return _AGO.format(moment.isoformat(), utc_text(moment), words)

    def ticking(self, since: datetime) -> Markup:
        """How long something has been going on."""
        words = duration_text((self._clock() - since).total_seconds())
        return _SINCE.format(since.isoformat(), utc_text(since), words)


def utc_text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def ago_text(seconds: float) -> str:
    if seconds < 10:
        return "just now"
    for limit_s, unit_s, unit in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < limit_s:
            return f"{int(seconds // unit_s)} {unit} ago"
    days = int(seconds // 86400)
    return "yesterday" if days == 1 else f"{days} days ago"


def duration_text(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{int(seconds)} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def took(started_at: datetime | None, ended_at: datetime | None) -> str:
    if started_at is None or ended_at is None:
        return ""
    return duration_text((ended_at - started_at).total_seconds())


def short_sha(sha: str) -> str:
    return sha[:8]


def json_text(value: Any) -> str:
    """A parameter's value: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def signed_number(number: float) -> str:
    text = number_text(number, digits=4)
    return text if text.startswith("-") else f"+{text}"


def coded(text: str) -> Markup:
    """A sentence of ours whose `names` stand between backticks."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:  # one is left over: it was not meant so
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


@lru_cache(maxsize=512)
def markdown(text: str, own_address: str) -> Markup:
    """Cleaned HTML. A table's alignment becomes a class, for our pages forbid styles in the text; links to ourselves
    become paths, for a visitor may know us under another name."""
    html = _ALIGNED.sub(r' class="align-\1"', to_html(text, own_address=own_address))
    html = html.replace(f'href="{own_address}/', 'href="/').replace(f'src="{own_address}/', 'src="/')
    return Markup(html)  # noqa: S704 - nh3 has cleaned it


def static_address(name: str) -> str:
    """With the content's digest, so that browsers may keep it for good."""
    return f"/static/{name}?v={_DIGESTS[name]}"


_ALIGNED = re.compile(r' style="text-align: ?(left|center|right);?"')
_DIGESTS = {
    path.relative_to(STATIC).as_posix(): sha256(path.read_bytes()).hexdigest()[:12]
    for path in sorted(STATIC.rglob("*"))
    if path.is_file()
}
