"""What the bot asks of GitLab's GraphQL API: one query and one mutation, read strictly."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.gitlab import repositories
from tests.fakes.gitlab.records import Award, Note, Project, User
from tests.fakes.gitlab.world import World

MOST = 100
_QUERY = re.compile(
    r"query\(\$path: ID!, \$number: String!, \$after: String\) \{ project\(fullPath: \$path\) \{ "
    r"mergeRequest\(iid: \$number\) \{ commits\(first: (\d+), after: \$after\) \{ "
    r"nodes \{ author \{ username \} \} pageInfo \{ hasNextPage endCursor \} \} \} \} \}"
)


_FIELD = r"(\w+): awardEmoji(Add|Remove)\(input: \{awardableId: \$note, name: \$(\w+)\}\) \{ errors \}"
_MUTATION = re.compile(rf"mutation\(\$note: AwardableID!((?:, \$\w+: String!)+)\) \{{ ((?:{_FIELD} )+)\}}")
_NOT_THERE = (
    "The resource that you are attempting to access does not exist or you don't have permission to perform this action"
)


def answer(world: World, user: User, body: dict[str, Any]) -> dict[str, Any]:
    query, variables = " ".join(str(body.get("query")).split()), body.get("variables", {})
    asked, awarded = _QUERY.fullmatch(query), _MUTATION.fullmatch(query)
    if asked and set(variables) == {"path", "number", "after"}:
        return _commits(world, user, int(asked[1]), variables)
    if awarded and set(variables) == {"note", *re.findall(r"\$(\w+)", awarded[1])}:
        return _award(world, user, re.findall(_FIELD, awarded[2]), variables)
    world.violations.append(f"graphql: not understood: {body}")
    return {"errors": [{"message": "Parse error"}]}


def project_of(world: World, body: dict[str, Any]) -> Project | None:
    """The one that it is about."""
    variables = body.get("variables", {})
    if "note" in variables:
        return (_find_note(world, variables["note"]) or (None, None))[0]
    return _find_project(world, variables.get("path"))


def _find_project(world: World, path: object) -> Project | None:
    return next((one for one in world.projects.values() if one.path == path), None)


def _find_note(world: World, global_id: str) -> tuple[Project, Note] | None:
    notes = ((one, note) for one in world.projects.values() for request in one.merge_requests for note in request.notes)
    return next(((one, note) for one, note in notes if global_id == f"gid://gitlab/Note/{note.id}"), None)


def _award(world: World, user: User, fields: list[tuple[str, str, str]], variables: dict[str, Any]) -> dict[str, Any]:
    found = _find_note(world, variables["note"])
    if found is None or user.id not in found[0].members:
        errors = [{"message": _NOT_THERE, "path": [alias]} for alias, _, _ in fields]
        return {"data": {alias: None for alias, _, _ in fields}, "errors": errors}
    change = {"Add": _give, "Remove": _take}
    return {
        "data": {
            alias: {"errors": change[verb](world, found[1], user, variables[name])} for alias, verb, name in fields
        }
    }


def _give(world: World, note: Note, user: User, name: str) -> list[str]:
    if any((award.name, award.user) == (name, user) for award in note.awards):
        return ["Name has already been taken"]
    note.awards.append(Award(world.next_id(), name, user))
    note.awarded.append(name)
    return []


def _take(_world: World, note: Note, user: User, name: str) -> list[str]:
    given = [award for award in note.awards if (award.name, award.user) == (name, user)]
    for award in given:
        note.awards.remove(award)
    return [] if given else [f"User has not awarded emoji of type {name} on the awardable"]


def _commits(world: World, user: User, most: int, variables: dict[str, Any]) -> dict[str, Any]:
    project = _find_project(world, variables["path"])
    if project is None or (user.id not in project.members and not project.is_public):
        return {"data": {"project": None}}
    size, start = min(most, MOST), int(variables["after"] or 0)
    authors = _authors(world, project, str(variables["number"]))
    if authors is None:
        return {"data": {"project": {"mergeRequest": None}}}
    end = start + size
    nodes = [{"author": {"username": one.username} if one else None} for one in authors[start:end]]
    page = {"hasNextPage": end < len(authors), "endCursor": str(end)}
    return {"data": {"project": {"mergeRequest": {"commits": {"nodes": nodes, "pageInfo": page}}}}}


def _authors(world: World, project: Project, number: str) -> list[User | None] | None:
    """Newest first. Users have confirmed `<user name>@example.com`."""
    one = next((one for one in project.merge_requests if str(one.iid) == number), None)
    if one is None:
        return None
    commits = f"{project.heads[one.target_branch]}..{one.sha}"
    addresses = repositories.git(project.bare, "log", "--format=%ae", commits).splitlines()
    users = {f"{user.username.lower()}@example.com": user for user in world.users.values()}
    return [users.get(address) for address in addresses]
