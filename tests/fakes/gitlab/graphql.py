"""The one query of GitLab's GraphQL API that the bot makes, read strictly."""

from __future__ import annotations

import re
from typing import Any

from tests.fakes.gitlab import repositories
from tests.fakes.gitlab.records import Project, User
from tests.fakes.gitlab.world import World

MOST = 100
_QUERY = re.compile(
    r"query\(\$path: ID!, \$number: String!, \$after: String\) \{ project\(fullPath: \$path\) \{ "
    r"mergeRequest\(iid: \$number\) \{ commits\(first: (\d+), after: \$after\) \{ "
    r"nodes \{ author \{ username \} \} pageInfo \{ hasNextPage endCursor \} \} \} \} \}"
)


def answer(world: World, user: User, body: dict[str, Any]) -> dict[str, Any]:
    found = _QUERY.fullmatch(" ".join(str(body.get("query")).split()))
    variables = body.get("variables", {})
    if found is None or set(variables) != {"path", "number", "after"}:
        world.violations.append(f"graphql: not understood: {body}")
        return {"errors": [{"message": "Parse error"}]}
    project = next((one for one in world.projects.values() if one.path == variables["path"]), None)
    if project is None or (user.id not in project.members and not project.is_public):
        return {"data": {"project": None}}
    size, start = min(int(found[1]), MOST), int(variables["after"] or 0)
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
