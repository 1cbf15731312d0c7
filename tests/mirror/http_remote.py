"""A bare repository behind real smart HTTP, where who reads and who pushes need different tokens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bot.ports.forge import GitCredential
from tests.fakes.git_http import basic_credential, read_body, serve, split_git_path

READ_TOKEN = "read-only-0123456789"
PUSH_TOKEN = "may-push-0123456789"


class HttpRemote:
    """`seen` are `<service> <token>` of the requests. `is_old` stands for a server that knows no protocol version 2.
    `forbidden` is answered to pushes with 403, as GitHub words it."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare
        self.seen: list[str] = []
        self.is_old = False
        self.forbidden = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.remote = self  # type: ignore[attr-defined]  # a handler is made by the server, from its class
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.address = f"{self.origin}/acme/{bare.name}"

    def reading(self, _address: str) -> GitCredential:
        return GitCredential(self.origin, "x-access-token", READ_TOKEN)

    def pushing(self, _address: str) -> GitCredential:
        return GitCredential(self.origin, "x-access-token", PUSH_TOKEN)

    @contextmanager
    def running(self) -> Iterator[HttpRemote]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        remote: HttpRemote = self.server.remote  # type: ignore[attr-defined]  # see above
        path = self.path.partition("?")[0]
        is_push = "git-receive-pack" in self.path
        given = basic_credential(self.headers.get("authorization", ""))
        remote.seen.append(f"{'push' if is_push else 'read'} {given[1] if given else 'nobody'}")
        if remote.is_old and self.headers.get("git-protocol"):
            del self.headers["git-protocol"]
        if is_push and remote.forbidden:
            self._forbid(remote.forbidden)
            return
        allowed = (PUSH_TOKEN,) if is_push else (READ_TOKEN, PUSH_TOKEN)
        assert split_git_path(path)[0]
        serve(self, remote.bare, may=lambda credential: credential is not None and credential[1] in allowed)

    def _forbid(self, words: str) -> None:
        read_body(self)
        self.send_response(403)
        self.send_header("content-type", "text/plain; charset=UTF-8")
        self.send_header("content-length", str(len(words)))
        self.end_headers()
        self.wfile.write(words.encode())

    def log_message(self, *_: object) -> None:
        """Quiet."""
