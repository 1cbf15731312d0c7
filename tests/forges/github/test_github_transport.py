"""PyGithub underneath: what one thread asks never mixes with what another does."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bot.forges.github.transport import Transport

CALLS = 60
THREADS = 8


class _Echo(BaseHTTPRequestHandler):
    """Says what it was asked."""

    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        said = {"verb": self.command, "path": self.path, "token": self.headers["authorization"]}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815 - the names that http.server looks for

    def log_message(self, *arguments: object) -> None:
        return


def test_calls_of_many_threads_keep_their_own_verb_address_and_token() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    transport = Transport(f"http://127.0.0.1:{server.server_port}")

    def ask(number: int) -> tuple[object, object]:
        verb = ("GET", "POST", "PATCH")[number % 3]
        wanted = {"verb": verb, "path": f"/repos/acme/models-{number}", "token": f"Bearer token-{number}"}
        body = None if verb == "GET" else {"number": number}
        _, _, said = transport.send(verb, wanted["path"], token=f"token-{number}", parameters={}, body=body, etag="")
        return said, wanted

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            answers = list(pool.map(ask, range(THREADS * CALLS)))
    finally:
        server.shutdown()
        serving.join()
        server.server_close()

    assert [said for said, _ in answers] == [wanted for _, wanted in answers]
