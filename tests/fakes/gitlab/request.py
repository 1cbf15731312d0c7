"""One request to the fake's API, and what may be in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from tests.fakes.gitlab.answers import Answer, Refusal
from tests.fakes.gitlab.records import DEVELOPER, MergeRequest, Note, Project, Token, User
from tests.fakes.gitlab.world import World

PAGING = ("page", "per_page")


@dataclass
class Request:
    """`path` is what follows `/api/v4`, still encoded. `parts` are the route's variables."""

    world: World
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    parts: tuple[str, ...] = ()
    token: Token | None = None
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def user(self) -> User:
        assert self.token is not None
        return self.token.user

    def read_fields(self, allowed: tuple[str, ...], required: tuple[str, ...]) -> None:
        """Anything undocumented is our adapter's mistake, and is remembered as such."""
        if self.body and self.headers.get("content-type", "").startswith("application/json"):
            self.fields = json.loads(self.body) or {}
        given = {**self.query} if self.method == "GET" else {**self.fields, **self.query}
        for name in sorted(set(given) - set(allowed) - set(required)):
            self.violate(f"undocumented field {name!r}")
        for name in required:
            if name not in given:
                self.violate(f"missing field {name!r}")
                raise Refusal(400, f"{name} is missing", key="error")

    def violate(self, what: str) -> None:
        self.world.violations.append(f"{self.method} {self.path}: {what}")

    def project(self, *, at_least: int = 10) -> Project:
        wanted = unquote(self.parts[0])
        for project in self.world.projects.values():
            if wanted in (str(project.id), project.path):
                level = project.members.get(self.user.id, 0)
                if level == 0 and not project.is_public:
                    break
                if level < at_least and not (project.is_public and at_least < DEVELOPER):
                    raise Refusal(403, "403 Forbidden")
                return project
        raise Refusal(404, "404 Project Not Found")

    def merge_request(self) -> MergeRequest:
        for one in self.project().merge_requests:
            if str(one.iid) == self.parts[1]:
                return one
        raise Refusal(404, "404 Not found")

    def note(self) -> Note:
        for note in self.merge_request().notes:
            if str(note.id) == self.parts[2]:
                return note
        raise Refusal(404, "404 Note Not Found")


def paged(request: Request, items: list[Any]) -> Answer:
    """Offset paging with its headers (GitLab docs, "REST API", pagination)."""
    page, size = int(request.query.get("page", 1)), min(int(request.query.get("per_page", 20)), 100)
    following = str(page + 1) if page * size < len(items) else ""
    headers = {"x-page": str(page), "x-per-page": str(size), "x-next-page": following, "x-total": str(len(items))}
    if following:
        query = urlencode({**request.query, "page": following, "per_page": size})
        headers["link"] = f'<{request.world.base_url}/api/v4{request.path}?{query}>; rel="next"'
    return Answer(200, items[(page - 1) * size : page * size], headers)
