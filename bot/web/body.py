"""Reading a request's body up to a limit, whatever its headers claim."""

from __future__ import annotations

from starlette.types import Receive


class TooLarge(Exception):
    """The body is longer than the limit."""


class Disconnected(Exception):
    """The client went away in the middle."""


def declared_length(headers: dict[str, str]) -> int:
    """Of the Content-Length header; 0 where it is missing or makes no sense, for the bytes are counted anyway."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


async def read_body(receive: Receive, *, limit_bytes: int) -> bytes:
    """Raises TooLarge as soon as the limit is passed, and keeps no more than that."""
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        length += len(chunk)
        if length > limit_bytes:
            raise TooLarge
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)
