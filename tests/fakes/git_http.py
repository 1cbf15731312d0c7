"""Git over smart HTTP, as forges serve it: real bare repositories behind `git http-backend`, with Basic authentication.

A fake's own server calls `answer` (values in, values out), or `serve` where it is built on `http.server`.
"""

from __future__ import annotations

import base64
import binascii
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

BACKEND_TIMEOUT_S = 60

# user name and password, None without an Authorization header
MayEnter = Callable[[tuple[str, str] | None], bool]


@dataclass(frozen=True)
class GitRequest:
    """`service` is what follows the repository's path: `/info/refs`, `/git-upload-pack`, `/git-receive-pack`.
    Header names are lower case."""

    method: str
    service: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class GitAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def is_git_path(path: str) -> bool:
    return path.endswith(("/info/refs", "/git-upload-pack", "/git-receive-pack"))


def split_git_path(path: str) -> tuple[str, str]:
    """`/acme/models.git/info/refs` to `acme/models` and `/info/refs`."""
    for service in ("/info/refs", "/git-upload-pack", "/git-receive-pack"):
        if path.endswith(service):
            return path.removesuffix(service).strip("/").removesuffix(".git"), service
    raise ValueError(path)


def answer(bare: Path | None, request: GitRequest, *, may: MayEnter) -> GitAnswer:
    """401 without or with a wrong credential; 404 when there is no such repository. Whoever enters may also push."""
    credential = basic_credential(request.headers.get("authorization", ""))
    if not may(credential):
        return GitAnswer(401, {"www-authenticate": 'Basic realm="Git"', "content-type": "text/plain"}, b"HTTP Basic")
    if bare is None:
        return GitAnswer(404, {"content-type": "text/plain"}, b"The project you were looking for could not be found.\n")
    return _run_backend(bare, request, user=credential[0] if credential else "anonymous")


def basic_credential(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return user, password


def serve(handler: BaseHTTPRequestHandler, bare: Path | None, *, may: MayEnter) -> None:
    """Answer the request that `handler` has begun to read."""
    path, _, query = handler.path.partition("?")
    headers = {name.lower(): value for name, value in handler.headers.items()}
    request = GitRequest(handler.command, split_git_path(path)[1], query, headers, read_body(handler))
    given = answer(bare, request, may=may)
    handler.send_response(given.status)
    for name, value in given.headers.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(given.body)))
    handler.end_headers()
    handler.wfile.write(given.body)


def read_body(handler: BaseHTTPRequestHandler) -> bytes:
    """Also of a chunked one, as git sends when it does not know the length."""
    if handler.headers.get("transfer-encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("content-length") or 0))
    parts = []
    while size := int(handler.rfile.readline().partition(b";")[0], 16):
        parts.append(handler.rfile.read(size))
        handler.rfile.readline()
    handler.rfile.readline()
    return b"".join(parts)


def _run_backend(bare: Path, request: GitRequest, *, user: str) -> GitAnswer:
    environ = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PROJECT_ROOT": str(bare.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{bare.name}{request.service}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
    }
    done = subprocess.run(
        # a forge answers for any reachable commit, and for parts of histories and files
        ["git", "-c", "uploadpack.allowFilter=true", "-c", "uploadpack.allowAnySHA1InWant=true", "http-backend"],
        input=request.body,
        env=environ,
        capture_output=True,
        timeout=BACKEND_TIMEOUT_S,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head.decode("latin-1").split("\r\n"))
        if name
    }
    return GitAnswer(int(headers.pop("status", "200").split()[0]), headers, body)
