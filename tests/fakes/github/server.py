"""The fake's server: authentication, limits, faults and ETags before the API; git over HTTP beside it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import jwt

from tests.fakes.git_http import is_git_path, read_body, serve, split_git_path
from tests.fakes.github import graphql, requests
from tests.fakes.github.faults import Fault, Faults
from tests.fakes.github.records import Grant, Repo, now
from tests.fakes.github.requests import Page, Refusal, Request
from tests.fakes.github.routes import ROUTES, Route
from tests.fakes.github.world import World

QUOTA = 5000  # requests an hour
API = "/api/v3"
LONGEST_JWT_S = 600


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class FakeGitHub:
    """`world` is where people act. `requests` counts what cost quota, as `METHOD /route`, `by_repo` apart for each
    repository, and `unchanged` the 304s. `close` fails when a request was undocumented."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.faults = Faults()
        self.requests: Counter[str] = Counter()
        self.unchanged: Counter[str] = Counter()
        self.by_repo: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.violations: list[str] = []
        self.quota_left: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.fake = self  # type: ignore[attr-defined]  # for its handlers
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.api_url = f"{self.origin}{API}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="fake-github", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.world.hooks.close()
        assert self.violations == [], self.violations

    def fail(self, matching: str, **how: Any) -> None:
        self.faults.plan(Fault(matching, **how))

    def rest_calls(self) -> Counter[str]:
        """Without tokens, and what GraphQL was asked."""
        apart = ("POST /app/installations/{installation_id}/access_tokens", "POST /graphql")
        return Counter({route: count for route, count in self.requests.items() if route not in apart})

    def answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        try:
            return self._answer(method, path, query, headers, body)
        except Refusal as refusal:
            content = {"message": refusal.message, "documentation_url": "https://docs.github.com/rest"}
            return Answer(
                refusal.status, {**content, **({"errors": refusal.errors} if refusal.errors else {})}, refusal.headers
            )

    def may_enter(self, repo: Repo | None, credential: tuple[str, str] | None, *, pushes: bool = False) -> bool:
        if repo is not None and not repo.is_private and not pushes:
            return True
        grant = self.world.grants.get(credential[1]) if credential else None
        if grant is None or grant.expires_at <= now() or credential is None or credential[0] != "x-access-token":
            return False
        levels = ("write",) if pushes else ("read", "write")
        return repo is None or (repo.full_name in grant.repos and grant.permissions.get("contents") in levels)

    def _answer(self, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
        if headers.get("x-github-api-version") != "2022-11-28" or not headers.get("user-agent"):
            self.violations.append(f"{method} {path}: no version or user agent")
        parsed = json.loads(body) if body else {}
        if path == "/graphql":
            return self._graphql(headers, parsed)
        matched = requests.match(method, path)
        if matched is None:
            self.violations.append(f"{method} {path}: no such route")
            raise Refusal(404, "Not Found")
        request = Request(*matched, query=dict(parse_qsl(query)), body=parsed)
        self.violations += [f"{method} {path}: {words}" for words in requests.violations(request)]
        route = ROUTES[request.route]
        self._enter(request, route, headers)
        with self.world.lock:
            found = route.handle(self.world, request)
        more = {}
        if isinstance(found, Page):
            if found.has_next:
                following = urlencode({**request.query, found.by: found.number + 1})
                more["link"] = f'<{self.api_url}{path}?{following}>; rel="next", <{self.api_url}{path}>; rel="last"'
            found = found.items
        return self._conditional(request, headers, Answer(route.status, found, more))

    def _conditional(self, request: Request, headers: dict[str, str], answer: Answer) -> Answer:
        account = request.grant.account if request.grant else "app"
        if request.grant and request.grant.scopes:
            answer.headers["x-oauth-scopes"] = request.grant.scopes
        if request.route.startswith("GET"):
            etag = f'W/"{sha256(json.dumps([answer.body, account]).encode()).hexdigest()}"'
            answer.headers["etag"] = etag
            if headers.get("if-none-match") == etag:
                self.unchanged[request.route] += 1
                return Answer(304, None, {**answer.headers, **self._quota(account, cost=0)})
        self.requests[request.route] += 1
        if request.repo is not None:
            self.by_repo[request.repo.full_name][request.route] += 1
        return Answer(answer.status, answer.body, {**answer.headers, **self._quota(account, cost=1)})

    def _graphql(self, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        self.requests["POST /graphql"] += 1
        grant = self._grant(headers)
        for full_name in grant.repos:
            self.by_repo[full_name]["POST /graphql"] += 1
        try:
            with self.world.lock:
                return Answer(200, graphql.answer(self.world, grant, body["query"], body["variables"]))
        except Refusal as refusal:
            self.violations.append(f"graphql: {refusal.message}")
            raise

    def _enter(self, request: Request, route: Route, headers: dict[str, str]) -> None:
        if "repo" in request.parts:
            request.repo = self.world.repos.get(f"{request.parts['owner']}/{request.parts['repo']}".lower())
        if route.needs == "anybody":
            return
        if route.needs == "app":
            self._check_jwt(headers)
            if "repo" in request.parts and request.repo is None:
                raise Refusal(404, "Not Found")
            return
        request.grant = grant = self._grant(headers)
        if self._quota(grant.account, cost=0)["x-ratelimit-remaining"] == "0":
            raise Refusal(403, "API rate limit exceeded", headers=self._quota(grant.account, cost=0))
        if "repo" in request.parts and (request.repo is None or request.repo.full_name not in grant.repos):
            raise Refusal(404, "Not Found")
        levels = ["", "read", "write"]
        if isinstance(route.needs, tuple):
            name, level = route.needs
            if levels.index(grant.permissions.get(name, "")) < levels.index(level):
                raise Refusal(403, "Resource not accessible by integration")

    def _check_jwt(self, headers: dict[str, str]) -> None:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(token, self.world.app.public_key, algorithms=["RS256"])
        except jwt.InvalidTokenError as error:
            raise Refusal(401, "A JSON web token could not be decoded") from error
        if str(claims["iss"]) != str(self.world.app.id) or claims["exp"] - time.time() > LONGEST_JWT_S:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")

    def _grant(self, headers: dict[str, str]) -> Grant:
        grant = self.world.grants.get(headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None or grant.expires_at <= now():
            raise Refusal(401, "Bad credentials")
        return grant

    def _quota(self, account: str, *, cost: int) -> dict[str, str]:
        left = self.quota_left[account] = max(self.quota_left.get(account, QUOTA) - cost, 0)
        reset = str(int(time.time()) + 1800)
        return {"x-ratelimit-limit": str(QUOTA), "x-ratelimit-remaining": str(left), "x-ratelimit-reset": reset,
                "x-ratelimit-resource": "core"}  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name in the standard library
        pass

    def do_GET(self) -> None:
        fake: FakeGitHub = self.server.fake  # type: ignore[attr-defined]
        path, _, query = self.path.partition("?")
        if path.startswith(f"{API}/"):
            self._serve_api(fake, unquote(path.removeprefix(API)), query)
        elif path == "/api/graphql":
            self._serve_api(fake, "/graphql", query)
        elif is_git_path(path):
            repo = fake.world.repos.get(split_git_path(unquote(path))[0].lower())
            bare = repo.bare if repo else None
            pushes = path.endswith("/git-receive-pack") or query == "service=git-receive-pack"
            serve(self, bare, may=lambda credential: fake.may_enter(repo, credential, pushes=pushes))
        else:
            fake.violations.append(f"{self.command} {path}: outside of the API")
            self._send(Answer(404, {"message": "Not Found"}))

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815 - names in the standard library

    def _serve_api(self, fake: FakeGitHub, path: str, query: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = read_body(self)
        fault = fake.faults.next_for(f"{self.command} {path}")
        if fault is None:
            self._send(fake.answer(self.command, path, query, headers, body))
            return
        if fault.is_done:
            fake.answer(self.command, path, query, headers, body)
        time.sleep(fault.delay_s)
        if fault.drops:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(Answer(fault.status, fault.body or {"message": "Server Error"}, dict(fault.headers)))

    def _send(self, answer: Answer) -> None:
        content = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("content-type", "application/json; charset=utf-8")
        if answer.status != 304:
            self.send_header("content-length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
