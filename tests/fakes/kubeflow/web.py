"""HTTP for the cluster's fakes: a port of its own, requests as values, tokens, and faults that a test asks for."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import structlog

log = structlog.get_logger()


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    content: bytes
    content_type: str

    @property
    def body(self) -> Any:
        if not self.content_type.startswith("application/json"):
            raise Refusal(415, f"{self.content_type} is not JSON")
        return json.loads(self.content)


class Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass
class Fault:
    """`on` is the beginning of `METHOD /path`. With `does_it` the request is carried out first. `hangs` lets it wait
    until the fault is lifted. `times` counts down."""

    on: str
    status: int = 500
    does_it: bool = False
    hangs: bool = False
    times: int = 1
    lifted: threading.Event = field(default_factory=threading.Event)


class Web:
    """`tokens` are those that are taken, none is asked for when there are none. `calls` counts `METHOD /path` without
    ids, `violations` are requests and answers that the API's description does not know."""

    def __init__(self, respond: Callable[[Request], Any], *, route_of: Callable[[str], str], tokens: set[str]) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.violations: list[str] = []
        self.tokens = tokens
        self._respond = respond
        self._route_of = route_of
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.web = self  # type: ignore[attr-defined]  # for its handlers
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="fake-cluster", daemon=True).start()

    def close(self) -> None:
        for fault in self.faults:
            fault.lifted.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, on: str, **how: Any) -> Fault:
        self.faults.append(Fault(on, **how))
        return self.faults[-1]

    def answer(self, request: Request, authorization: str) -> tuple[int, Any]:
        self.calls[f"{request.method} {self._route_of(request.path)}"] += 1
        if self.tokens and authorization.removeprefix("Bearer ") not in self.tokens:
            return 401, _error(401, "Unauthenticated: the token has expired or is not known")
        fault = self._fault(request)
        try:
            if fault is None or fault.does_it:
                answer = 200, self._respond(request)
            if fault is not None:
                if fault.hangs:
                    fault.lifted.wait(60)
                return fault.status, _error(fault.status, "a fault that the test asked for")
        except Refusal as refusal:
            return refusal.status, _error(refusal.status, refusal.message)
        except Exception as error:
            self.violations.append(f"{request.method} {request.path}: {error!r}")
            log.exception("fake_failed", path=request.path)
            return 500, _error(500, repr(error))
        return answer

    def _fault(self, request: Request) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and f"{request.method} {request.path}".startswith(fault.on):
                fault.times -= 1
                return fault
        return None


def _error(status: int, message: str) -> dict[str, Any]:
    return {"error": message, "code": status, "message": message, "details": []}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # head and body in one packet: the second would wait for the first one's acknowledgement

    def _do(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            self.headers.get("Content-Type", ""),
        )
        web: Web = self.server.web  # type: ignore[attr-defined]
        status, answer = web.answer(request, self.headers.get("Authorization", ""))
        content = json.dumps(answer).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()
        except OSError:  # whoever asked has stopped waiting
            self.close_connection = True

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _do  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base class's name
