"""The fake's API: the documented calls that an adapter may make, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from tests.fakes.gitlab import answers, deployments
from tests.fakes.gitlab.answers import Answer, Refusal
from tests.fakes.gitlab.records import DEVELOPER, MAINTAINER, Hook, Note
from tests.fakes.gitlab.request import PAGING, Request, paged
from tests.fakes.gitlab.status_machine import set_status

LONGEST_NOTE = 1_000_000
HOOK_FIELDS = (
    *("token", "push_events", "tag_push_events", "merge_requests_events", "note_events", "enable_ssl_verification"),
    *("issues_events", "confidential_issues_events", "confidential_note_events", "job_events", "pipeline_events"),
    *("wiki_page_events", "deployment_events", "releases_events", "emoji_events", "name", "description"),
)


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    handle: Callable[[Request], Answer]
    allowed: tuple[str, ...] = ()
    required: tuple[str, ...] = ()


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    for route in ROUTES:
        found = re.fullmatch(route.pattern, path)
        if found and route.method == method:
            return route, found.groups()
    return None


def keyset_paged(request: Request, items: list[Any]) -> Answer:
    size = min(int(request.query.get("per_page", 20)), 100)
    left = [item for item in items if item["id"] > int(request.query.get("id_after", 0))]
    headers = {}
    if len(left) > size:
        query = urlencode({**request.query, "id_after": left[size - 1]["id"]})
        # GitLab behind a proxy names itself as its own settings say, which need not be how it is reached
        headers["link"] = f'<http://gitlab.internal/api/v4{request.path}?{query}>; rel="next"'
    return Answer(200, left[:size], headers)


def _user(request: Request) -> Answer:
    return Answer(200, answers.user(request.user))


def _user_by_id(request: Request) -> Answer:
    user = request.world.users.get(int(request.parts[0]))
    if user is None:
        raise Refusal(404, "404 User Not Found")
    return Answer(200, answers.user(user))


def _token(request: Request) -> Answer:
    assert request.token is not None
    return Answer(200, {"id": 1, "name": "bot", "scopes": list(request.token.scopes), "active": True})


def _projects(request: Request) -> Answer:
    least = int(request.query.get("min_access_level", 10))
    found = [
        answers.project(project, request.world.base_url)
        for project in sorted(request.world.projects.values(), key=lambda project: project.id)
        if project.members.get(request.user.id, 0) >= least
        and not (request.query.get("archived", "").lower() == "false" and project.is_archived)
    ]
    return keyset_paged(request, found) if request.query.get("pagination") == "keyset" else paged(request, found)


def _project(request: Request) -> Answer:
    return Answer(200, answers.project(request.project(), request.world.base_url))


def _members(request: Request) -> Answer:
    return paged(request, _matching(request, request.project().members))


def _group_members(request: Request) -> Answer:
    group = request.world.groups.get(request.parts[0].replace("%2F", "/"))
    if group is None:
        raise Refusal(404, "404 Group Not Found")
    return paged(request, _matching(request, group))


def _matching(request: Request, levels: dict[int, int]) -> list[Any]:
    """`query` finds parts of names, in any case."""
    query = request.query.get("query", "").lower()
    users = [(request.world.users[user_id], level) for user_id, level in levels.items()]
    return [
        answers.member(user, level)
        for user, level in users
        if query in user.username.lower() or query in user.name.lower()
    ]


def _merge_requests(request: Request) -> Answer:
    state, since = request.query.get("state", "all"), request.query.get("updated_after", "")
    found = [
        one
        for one in request.project().merge_requests
        if state in ("all", one.state) and (not since or one.updated_at >= datetime.fromisoformat(since))
    ]
    order = request.query.get("order_by", "created_at")
    found.sort(key=lambda one: getattr(one, order), reverse=request.query.get("sort", "desc") == "desc")
    return paged(request, [answers.merge_request(one) for one in found])


def _merge_request(request: Request) -> Answer:
    return Answer(200, answers.merge_request(request.merge_request()))


def _notes(request: Request) -> Answer:
    order = request.query.get("order_by", "created_at")
    notes = sorted(request.merge_request().notes, key=lambda note: (getattr(note, order), note.id))
    if request.query.get("sort", "desc") == "desc":
        notes.reverse()
    return paged(request, [answers.note(note) for note in notes])


def _create_note(request: Request) -> Answer:
    of, moment = request.merge_request(), request.world.now()
    note = Note(request.world.next_id(), _note_body(request), request.user, moment, moment)
    of.notes.append(note)
    of.updated_at = moment
    request.world.tell_note(of, note, request.user, "create")
    return Answer(201, answers.note(note))


def _edit_note(request: Request) -> Answer:
    note = _own_note(request)
    request.world.edit(request.merge_request(), note, request.user, _note_body(request))
    return Answer(200, answers.note(note))


def _delete_note(request: Request) -> Answer:
    note = _own_note(request)
    request.merge_request().notes.remove(note)
    return Answer(204, None)


def _own_note(request: Request) -> Note:
    note = request.note()
    if note.author is not request.user:
        raise Refusal(403, "403 Forbidden")
    return note


def _note_body(request: Request) -> str:
    """Lines that GitLab would carry out must never be sent."""
    body = str(request.fields["body"])
    if re.search(r"^[ \t]*/(?:close|merge|approve|assign|label|reopen)\b", body, re.MULTILINE):
        request.violate("a quick action")
    if len(body) > LONGEST_NOTE:
        raise Refusal(400, {"note": ["is too long (maximum is 1000000 characters)"]})
    return body


def _set_status(request: Request) -> Answer:
    project = request.project(at_least=DEVELOPER)
    return Answer(201, answers.status(set_status(request.world, project, request.parts[1], request.fields)))


def _hooks(request: Request) -> Answer:
    return paged(request, [answers.hook(hook) for hook in request.project(at_least=MAINTAINER).hooks])


def _add_hook(request: Request) -> Answer:
    hook = Hook(request.world.next_id(), {"push_events": True, **request.fields})
    request.project(at_least=MAINTAINER).hooks.append(hook)
    return Answer(201, answers.hook(hook))


def _edit_hook(request: Request) -> Answer:
    for hook in request.project(at_least=MAINTAINER).hooks:
        if str(hook.id) == request.parts[1]:
            hook.fields |= request.fields
            return Answer(200, answers.hook(hook))
    raise Refusal(404, "404 Not found")


_PROJECT = r"/projects/([^/]+)"
_DEPLOYMENT = ("environment", "sha", "ref", "tag", "status")
_MERGE_REQUEST = rf"{_PROJECT}/merge_requests/(\d+)"
_NOTE = rf"{_MERGE_REQUEST}/notes/(\d+)"
ROUTES = (
    Route("GET", "/user", _user),
    Route("GET", r"/users/(\d+)", _user_by_id),
    Route("GET", "/personal_access_tokens/self", _token),
    Route(
        "GET",
        "/projects",
        _projects,
        (*PAGING, "membership", "min_access_level", "archived", "simple", "pagination", "order_by", "sort", "id_after"),
    ),
    Route("GET", _PROJECT, _project),
    Route("GET", rf"{_PROJECT}/members/all", _members, (*PAGING, "query", "user_ids", "state")),
    Route("GET", r"/groups/([^/]+)/members/all", _group_members, (*PAGING, "query", "user_ids", "state")),
    Route(
        "GET",
        rf"{_PROJECT}/merge_requests",
        _merge_requests,
        (*PAGING, "state", "order_by", "sort", "updated_after", "source_branch", "target_branch"),
    ),
    Route("GET", _MERGE_REQUEST, _merge_request),
    Route("GET", rf"{_MERGE_REQUEST}/notes", _notes, (*PAGING, "order_by", "sort")),
    Route("POST", rf"{_MERGE_REQUEST}/notes", _create_note, ("internal",), ("body",)),
    Route("PUT", _NOTE, _edit_note, (), ("body",)),
    Route("DELETE", _NOTE, _delete_note),
    Route(
        "POST",
        rf"{_PROJECT}/statuses/([0-9a-f]+)",
        _set_status,
        ("ref", "name", "context", "target_url", "description", "coverage", "pipeline_id"),
        ("state",),
    ),
    Route(
        "GET",
        rf"{_PROJECT}/deployments",
        deployments.listed,
        (*PAGING, "order_by", "sort", "environment", "status", "updated_after", "updated_before"),
    ),
    Route("POST", rf"{_PROJECT}/deployments", deployments.create, (), _DEPLOYMENT),
    Route("GET", rf"{_PROJECT}/deployments/(\d+)", deployments.one),
    Route("PUT", rf"{_PROJECT}/deployments/(\d+)", deployments.update, (), ("status",)),
    Route("PUT", rf"{_PROJECT}/environments/(\d+)", deployments.update_environment, ("external_url", "tier")),
    Route("GET", rf"{_PROJECT}/hooks", _hooks, PAGING),
    Route("POST", rf"{_PROJECT}/hooks", _add_hook, HOOK_FIELDS, ("url",)),
    Route("PUT", rf"{_PROJECT}/hooks/(\d+)", _edit_hook, HOOK_FIELDS, ("url",)),
)
