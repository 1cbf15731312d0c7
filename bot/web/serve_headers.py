"""What of a client's headers a model server sees, and what of its own the client."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from starlette.types import Scope

Header = tuple[bytes, bytes]

REVISION = "x-mlops-revision"

# they speak of one connection (RFC 9110, section 7.6.1)
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# a model is the code of whoever could push: it must not learn who asks by which right, nor be told lies about them
_KEPT_FROM_MODELS = frozenset(
    {b"authorization", b"cookie", b"host", b"content-length", b"expect", b"forwarded", b"x-real-ip"}
)
# nor must it change how browsers treat the bot's other addresses
_KEPT_FROM_CLIENTS = frozenset(
    {
        b"alt-svc",
        b"clear-site-data",
        b"content-length",
        b"content-security-policy",
        b"location",
        b"refresh",
        b"server",
        b"service-worker-allowed",
        b"set-cookie",
        b"set-cookie2",
        b"strict-transport-security",
        b"x-content-type-options",
        REVISION.encode(),
    }
)
_OURS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[\t -~\x80-\xff]*")


def request_headers(scope: Scope, *, prefix: str) -> list[tuple[str, str]]:
    """`prefix` is the path below which the model server is reached from outside."""
    headers: list[Header] = scope["headers"]
    forwarded = []
    for name, value in _end_to_end(headers, without=_KEPT_FROM_MODELS):
        text = _text(value)
        if text is not None and not name.startswith(b"x-forwarded-"):
            forwarded.append((name.decode(), text))
    client = scope.get("client")
    host = next((_text(value) for name, value in headers if name == b"host"), None)
    return [
        *forwarded,
        ("x-forwarded-for", client[0] if client else "unknown"),
        ("x-forwarded-proto", scope["scheme"]),
        ("x-forwarded-host", host or "unknown"),
        ("x-forwarded-prefix", prefix),
    ]


def answer_headers(headers: Iterable[Header], *, revision_id: str, backend: str, prefix: str) -> list[Header]:
    """Without the length, which whoever sends the answer knows. `backend` is the model server's own address, which
    means nothing outside."""
    received = [(name.lower(), value) for name, value in headers]
    passed = [
        *_end_to_end(received, without=_KEPT_FROM_CLIENTS),
        *_OURS,
        (REVISION.encode(), public_name(revision_id).encode()),
    ]
    location = dict(received).get(b"location", b"").removeprefix(backend.encode())
    if location.startswith(b"/") and not location.startswith(b"//") and _VALUE.fullmatch(location):
        passed.append((b"location", prefix.encode() + location))
    return passed


def public_name(revision_id: str) -> str:
    """As people know it: who serves may put the place before it, `staging/churn/dep-1`."""
    return revision_id.rpartition("/")[2]


def declared_length(headers: Mapping[bytes, bytes]) -> int | None:
    """Of the Content-Length header; None where it is missing or makes no sense."""
    text = headers.get(b"content-length", b"")
    return int(text) if text.isdigit() and len(text) < 20 else None


def _end_to_end(headers: Iterable[Header], *, without: frozenset[bytes]) -> list[Header]:
    headers = list(headers)
    named = {part.strip() for name, value in headers if name == b"connection" for part in value.lower().split(b",")}
    return [
        (name, value)
        for name, value in headers
        if name not in _HOP_BY_HOP
        and name not in without
        and name not in named
        and _TOKEN.fullmatch(name)
        and _VALUE.fullmatch(value)
    ]


def _text(value: bytes) -> str | None:
    """None for what is not UTF-8: the client that sends it on writes nothing else."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
