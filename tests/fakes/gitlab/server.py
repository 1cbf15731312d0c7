"""The fake's server: authentication, limits and faults before the API; git over HTTP beside it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.fakes.git_http import is_git_path, read_body, serve, split_git_path
from tests.fakes.gitlab import graphql, routes
from tests.fakes.gitlab.answers import Answer, Refusal
from tests.fakes.gitlab.faults import Fault, Faults
from tests.fakes.gitlab.records import Project
from tests.fakes.gitlab.request import Request
from tests.fakes.gitlab.world import World

GRAPHQL = "POST /graphql"
QUOTA = 2000  # requests a minute, as on gitlab.com for authenticated users


class FakeGitLab:
    """`world` is where people act. `requests` counts `METHOD /route`, `by_project` apart for each project's path or id.
    `close` fails when a request was undocumented."""

    def __init__(self, folder: Path, *, prefix: str = "") -> None:
        self.prefix = prefix
        self.world = World(folder)
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.by_project: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.quota_left = QUOTA
        self.graphql_answer: dict[str, Any] | None = None  # in place of the right one
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.fake = self  # type: ignore[attr-defined]  # for its handlers
        self.url = f"http://127.0.0.1:{self._server.server_port}{prefix}"
        self.world.base_url = self.url
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="fake-gitlab", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.world.close()
        assert self.world.violations == []

    def fail(self, matching: str, **how: Any) -> None:
        self.faults.plan(Fault(matching, **how))

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        self.count(method, path)
        request = Request(self.world, method, path, dict(parse_qsl(query)), headers, body)
        found = routes.find(method, path)
        if found is None:
            request.violate("no such route")
            return Answer(404, {"error": "404 Not Found"})
        route, request.parts = found
        try:
            self._authenticate(request)
            request.read_fields(route.allowed, route.required)
            with self.world.lock:
                return route.handle(request)
        except Refusal as refusal:
            return refusal.answer

    def answer_graphql(self, headers: dict[str, str], body: bytes) -> Answer:
        request = Request(self.world, "POST", "/graphql", {}, headers, body)
        asked = json.loads(body)
        self.requests[GRAPHQL] += 1
        project = graphql.project_of(self.world, asked)
        if project is not None:
            self.by_project[project.path][GRAPHQL] += 1
        try:
            self._authenticate(request)
        except Refusal as refusal:
            return refusal.answer
        with self.world.lock:
            return Answer(200, self.graphql_answer or graphql.answer(self.world, request.user, asked))

    def count(self, method: str, path: str) -> None:
        route = f"{method} {_shape(path)}"
        self.requests[route] += 1
        if path.startswith("/projects/"):
            self.by_project[unquote(path.split("/")[2])][route] += 1

    def project_of_git(self, path: str) -> Project | None:
        return next(
            (one for one in self.world.projects.values() if one.path == path.removeprefix(self.prefix[1:] + "/")), None
        )

    def may_enter(self, project: Project | None, credential: tuple[str, str] | None) -> bool:
        token = self.world.tokens.get(credential[1]) if credential else None
        if token is None or not token.is_active:
            return project is not None and project.is_public
        return project is None or project.is_public or token.user.id in project.members

    def _authenticate(self, request: Request) -> None:
        token = self.world.tokens.get(request.headers.get("private-token", ""))
        if token is None or not token.is_active:
            raise Refusal(401, "401 Unauthorized")
        needed = {"api"} if request.method != "GET" else {"api", "read_api"}
        if request.path in ("/user", "/personal_access_tokens/self"):
            needed |= {"read_user", "read_repository"}
        if not needed & set(token.scopes):
            words = "The request requires higher privileges than provided by the access token."
            raise Refusal(403, "insufficient_scope", key="error", error_description=words, scope="api")
        request.token = token


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name in the standard library
        pass

    def do_GET(self) -> None:
        fake: FakeGitLab = self.server.fake  # type: ignore[attr-defined]
        path, _, query = self.path.partition("?")
        api = f"{fake.prefix}/api/v4"
        if path.startswith(api + "/"):
            self._serve_api(fake, path.removeprefix(api), query)
        elif path == f"{fake.prefix}/api/graphql" and self.command == "POST":
            self._serve(fake, GRAPHQL, fake.answer_graphql)
        elif path.startswith(fake.prefix + "/") and is_git_path(path):
            self._serve_git(fake, path)
        else:
            fake.world.violations.append(f"{self.command} {path}: outside of the API")
            self._send(Answer(404, {"error": "404 Not Found"}))

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names in the standard library

    def _serve_api(self, fake: FakeGitLab, path: str, query: str) -> None:
        def answer(headers: dict[str, str], body: bytes) -> Answer:
            return fake.answer(self.command, path, query, headers, body)

        self._serve(fake, f"{self.command} {path}", answer)

    def _serve(self, fake: FakeGitLab, what: str, answer_to: Callable[[dict[str, str], bytes], Answer]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = read_body(self)
        fault = fake.faults.next_for(unquote(what))
        if fault is None or fault.is_done:
            answer = answer_to(headers, body)
        if fault is not None:
            if not fault.is_done:
                fake.count(*what.split(" ", 1))
            time.sleep(fault.delay_s)
            if fault.drops:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            answer = Answer(fault.status, fault.body, fault.headers)
        fake.quota_left = max(fake.quota_left - 1, 0)
        reset = str(int(time.time()) + 60)
        limits = {"ratelimit-limit": str(QUOTA), "ratelimit-remaining": str(fake.quota_left), "ratelimit-reset": reset}
        self._send(Answer(answer.status, answer.body, {**limits, **answer.headers}))

    def _serve_git(self, fake: FakeGitLab, path: str) -> None:
        name, service = split_git_path(unquote(path))
        project = fake.project_of_git(f"/{name}".removeprefix("/"))
        serve(self, project.bare if project else None, may=lambda credential: fake.may_enter(project, credential))
        if project is not None and service == "/git-receive-pack":
            fake.world.pushed(project, next(iter(fake.world.users.values())))

    def _send(self, answer: Answer) -> None:
        is_raw = isinstance(answer.body, bytes)
        content = answer.body if is_raw else b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("content-type", "text/html" if is_raw else "application/json")
        if answer.status != 204:
            self.send_header("content-length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content if answer.status != 204 else b"")


def _shape(path: str) -> str:
    """`/projects/:id/merge_requests/:id/notes`."""
    known = {"projects", "merge_requests", "notes", "members", "all", "statuses", "hooks"}
    known |= {"graphql", "deployments", "environments", "user", "users", "groups", "personal_access_tokens", "self"}
    return "/".join(part if part in known or not part else ":id" for part in path.split("/"))
