"""Server-sent events: an open page is told what changed since what it shows.

What a page shows is its *cursor*: for each part a mark, which is a digest for a fragment and an offset for a log. The
page's address of events holds the first cursor, and each event's id the next, so that a browser that reconnects goes on
where it was.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

import anyio.to_thread
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bot.domain.errors import TransientError

POLL_S = 0.5
SLOW_POLL_S = 2.0
QUIET_S = 20.0  # without news for so long, a page is looked after less often
HEARTBEAT_S = 15.0  # proxies end connections that are silent for 30 to 60 s
OPEN_STREAMS_LIMIT = 200
CURSOR_LIMIT = 4096  # characters

Cursor = Mapping[str, str]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Update:
    """A part of a page, and its mark in the cursor."""

    name: str
    html: str
    mark: str


@dataclass(frozen=True, slots=True)
class News:
    """`is_last`: nothing will change any more."""

    updates: tuple[Update, ...]
    is_last: bool = False


Look = Callable[[Cursor], News]
"""Says what differs from the cursor. Called in a thread, at most twice a second."""


def changed(fragments: Mapping[str, str], cursor: Cursor) -> tuple[Update, ...]:
    updates = (Update(name, html, digest(html)) for name, html in fragments.items())
    return tuple(update for update in updates if cursor.get(update.name) != update.mark)


def digest(html: str) -> str:
    """Of a fragment without the words that only tell how time goes by, which the page keeps current itself."""
    return sha256(_TICKING.sub(r"\1", html).encode()).hexdigest()[:12]


def encode_cursor(cursor: Cursor) -> str:
    return urlencode(sorted(cursor.items()))


def decode_cursor(text: str) -> dict[str, str]:
    return dict(parse_qsl(text[:CURSOR_LIMIT]))


class Streams:
    """All open streams of one process."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()
        self.open = 0

    def close(self) -> None:
        """End all streams, so that the server can stop. Call it on the event loop."""
        self._closing.set()

    def respond(self, request: Request, look: Look) -> Response:
        if self.open >= OPEN_STREAMS_LIMIT or self._closing.is_set():
            return JSONResponse({"error": "Too many pages are open."}, 503, {"Retry-After": "10"})
        asked = request.headers.get("last-event-id") or request.query_params.get("cursor", "")
        return StreamingResponse(self._follow(look, decode_cursor(asked)), media_type="text/event-stream")

    async def _follow(self, look: Look, cursor: dict[str, str]) -> AsyncIterator[str]:
        self.open += 1
        try:
            yield "retry: 1000\n\n"
            quiet_s = since_sent_s = 0.0
            while not self._closing.is_set():
                news = await _news(look, cursor)
                for update in news.updates:
                    cursor[update.name] = update.mark
                    yield _event(update.name, update.html, cursor)
                if news.is_last:
                    yield _event("done", "", cursor)
                    return
                if news.updates:
                    quiet_s = since_sent_s = 0.0
                pause_s = POLL_S if quiet_s < QUIET_S else SLOW_POLL_S
                await self._pause(pause_s)
                quiet_s, since_sent_s = quiet_s + pause_s, since_sent_s + pause_s
                if since_sent_s >= HEARTBEAT_S:
                    since_sent_s = 0.0
                    yield ": still here\n\n"
        finally:
            self.open -= 1

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return


async def _news(look: Look, cursor: dict[str, str]) -> News:
    try:
        return await anyio.to_thread.run_sync(look, dict(cursor))
    except TransientError as error:
        log.warning("live_page_postponed", problem=error.problem)
        return News(())


def _event(name: str, html: str, cursor: Cursor) -> str:
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(html))
    return f"event: {name}\nid: {encode_cursor(cursor)}\n{lines}\n"


_LINE_END = re.compile(r"\r\n|\r|\n")
_TICKING = re.compile(r"(<time data-ticks[^>]*>)[^<]*")
