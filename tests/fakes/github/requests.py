"""One request to the fake's API, held against GitHub's own description of its API.

`routes.json` is the part of it that the bot uses, taken from `@octokit/openapi` 23.0.2 (MIT), which is made of
github/rest-api-description.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.fakes.github.records import Grant, Repo

ROUTES: Mapping[str, Any] = json.loads((Path(__file__).parent / "routes.json").read_text())


@dataclass
class Refusal(Exception):
    status: int
    message: str
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """`route` is `GET /repos/{owner}/{repo}`, `parts` its variables."""

    route: str
    parts: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]
    grant: Grant | None = None
    is_app: bool = False
    repo: Repo | None = None

    @property
    def the_repo(self) -> Repo:
        assert self.repo is not None
        return self.repo

    @property
    def the_grant(self) -> Grant:
        assert self.grant is not None
        return self.grant


@dataclass(frozen=True)
class Page:
    items: Any
    has_next: bool
    number: int
    by: str = "page"


def paged(items: list[Any], request: Request, *, by: str = "page") -> Page:
    size, number = int(request.query.get("per_page", 30)), int(request.query.get(by, 1))
    if not 1 <= size <= 100:
        raise Refusal(422, "per_page")
    return Page(items[(number - 1) * size : number * size], number * size < len(items), number, by)


def match(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    for route, pattern in _PATTERNS:
        if route.startswith(f"{method} "):
            found = pattern.fullmatch(path)
            if found:
                return route, found.groupdict()
    return None


def violations(request: Request) -> list[str]:
    """What is not documented: the adapter's mistake."""
    described = ROUTES[request.route]
    found = [f"query `{name}`" for name in request.query if name not in described["query"]]
    if "body" not in described:
        return found + [f"body field `{name}`" for name in request.body]
    errors = Draft202012Validator(_closed(described["body"])).iter_errors(request.body)
    return found + [f"{'/'.join(map(str, error.path))}: {error.message[:200]}" for error in errors]


def _closed(schema: Any) -> Any:
    """Without room for fields that are not described."""
    if isinstance(schema, dict):
        # the branches of `anyOf` describe a part of the fields
        closed = {name: value if name == "anyOf" else _closed(value) for name, value in schema.items()}
        return {**closed, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else closed
    return [_closed(item) for item in schema] if isinstance(schema, list) else schema


def _pattern(route: str) -> re.Pattern[str]:
    path = re.escape(route.partition(" ")[2])
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", path))


# literal parts before variables
_PATTERNS = sorted(((route, _pattern(route)) for route in ROUTES), key=lambda item: item[0].count("{"))
