"""`POST /webhooks/{forge}`: verify on the raw bytes, store, answer. Nothing else happens in the request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anyio.to_thread
import structlog
from starlette.types import Receive, Scope, Send

from bot.domain.change import Delivery
from bot.ports.forge import BadPayload, BadSignature, Forge
from bot.web.body import Disconnected, TooLarge, declared_length, read_body
from bot.web.inbox import Inbox, NotStored

# GitHub sends at most 25 MB (GitHub docs, "Webhook events and payloads", payload cap)
BODY_LIMIT_BYTES = 25 * 1024 * 1024
# parsing more than this would hold up the event loop for milliseconds
PARSE_IN_THREAD_BYTES = 256 * 1024
RETRY_AFTER_S = 5

Answer = tuple[int, Mapping[str, Any]]

log = structlog.get_logger()


class Receiver:
    """A bare ASGI application, called before all that serves pages: it would cost more than the rest of the work."""

    prefix = "/webhooks/"
    path = "/webhooks/{forge}"  # names it among the routes

    def __init__(self, forges: Mapping[str, Forge], inbox: Inbox) -> None:
        self._forges = forges
        self._inbox = inbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _send(send, 405, {"error": "Webhooks are sent with POST."})
            return
        scope["route"] = self
        forge = self._forges.get(scope["path"].removeprefix(self.prefix))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            status, answer = await self._receive(forge, headers, receive)
        except Disconnected:
            return
        await _send(send, status, answer)

    async def _receive(self, forge: Forge | None, headers: dict[str, str], receive: Receive) -> Answer:
        if forge is None:
            return 404, {"error": "No such forge is set up here."}
        if declared_length(headers) > BODY_LIMIT_BYTES:
            return _TOO_LARGE
        try:
            body = await read_body(receive, limit_bytes=BODY_LIMIT_BYTES)
            delivery = await _open(forge, headers, body)
        except TooLarge:
            return _TOO_LARGE
        except BadSignature:
            log.warning("webhook_refused", forge=forge.name, reason="signature")
            return 401, {"error": "The signature does not match. Compare the webhook's secret with the bot's."}
        except BadPayload as error:
            log.warning("webhook_refused", forge=forge.name, reason=str(error))
            return 400, {"error": str(error)}
        if delivery is None:
            return 202, {"ignored": True}
        return await self._store(delivery)

    async def _store(self, delivery: Delivery) -> Answer:
        try:
            is_new = await self._inbox.put(delivery)
        except NotStored as error:
            return 503, {"error": f"Not stored: {error}. Send it again."}
        return 202, {"delivery": delivery.id, "duplicate": not is_new}


async def _open(forge: Forge, headers: Mapping[str, str], body: bytes) -> Delivery | None:
    if len(body) > PARSE_IN_THREAD_BYTES:
        return await anyio.to_thread.run_sync(forge.open_envelope, headers, body)
    return forge.open_envelope(headers, body)


async def _send(send: Send, status: int, answer: Mapping[str, Any]) -> None:
    body = json.dumps(answer).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    if status == 413:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_TOO_LARGE: Answer = (413, {"error": f"The body is larger than {BODY_LIMIT_BYTES // 1024 // 1024} MB."})
