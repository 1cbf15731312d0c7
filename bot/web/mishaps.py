"""The edge: what nobody expected is logged once, and the visitor is told that it is not their fault."""

from __future__ import annotations

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.web.pages.answers import error_answer

log = structlog.get_logger()


class Mishaps:
    """Answers itself, for what passes on to the server is logged there too, unmasked."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("request_failed", path=scope["path"])
            if is_started:
                return  # the server sees that the answer is not whole, and ends the connection
            await error_answer(Request(scope), 500)(scope, receive, send)
