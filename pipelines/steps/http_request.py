"""HTTP without a library of its own: one request, one answer, with a deadline and a limit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

ANSWER_LIMIT_BYTES = 4 * 1024 * 1024
FAULTS = (OSError, HTTPException)  # what a request raises when there is no answer


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content: bytes

    def json(self) -> Any:
        """None for what is not JSON."""
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError):
            return None


def request(
    method: str, url: str, *, timeout_s: float, body: object = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """`body` is sent as JSON. Raises one of FAULTS when there is no answer, ValueError for what is not an address."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the address is neither http nor https")
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.netloc.rpartition("@")[2], timeout=timeout_s)
    sent = None if body is None else json.dumps(body, allow_nan=False).encode()
    kind = {} if sent is None else {"Content-Type": "application/json"}
    try:
        connection.request(
            method, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), sent, {**kind, **(headers or {})}
        )
        response = connection.getresponse()
        content = response.read(ANSWER_LIMIT_BYTES + 1)
        if len(content) > ANSWER_LIMIT_BYTES:
            raise HTTPException(f"the answer is larger than {ANSWER_LIMIT_BYTES // 1024**2} MiB")
        return Answer(response.status, content)
    finally:
        connection.close()
