"""Deployments on the fake GitHub, as they are documented."""

from __future__ import annotations

from typing import Any

from tests.contracts.git_workshop import git
from tests.fakes.github import shapes
from tests.fakes.github.records import Deployment
from tests.fakes.github.requests import Refusal, Request, paged
from tests.fakes.github.world import World

LONGEST_DESCRIPTION = 140


def listed(_world: World, request: Request) -> Any:
    """Newest first."""
    shown = [shapes.deployment(one) for one in reversed(request.the_repo.deployments)]
    for name in ("sha", "ref", "task", "environment"):
        if wanted := request.query.get(name):
            shown = [one for one in shown if one[name] == wanted]
    return paged(shown, request)


def create(world: World, request: Request) -> Any:
    repo, fields = request.the_repo, dict(request.body)
    sha = git(repo.bare, "rev-parse", "--verify", "--quiet", f"{fields['ref']}^{{commit}}", check=False)
    if not sha:
        raise Refusal(422, f"No ref found for: {fields['ref']}")
    if fields.get("auto_merge", True):
        raise Refusal(409, "Conflict merging main into the ref.")
    if fields.get("required_contexts", ["all"]):
        raise Refusal(409, "Conflict: Commit status checks failed for the ref.")
    _check_length(fields)
    repo.deployments.append(Deployment(next(world.ids), sha, fields))
    return shapes.deployment(repo.deployments[-1])


def statuses(_world: World, request: Request) -> Any:
    return paged(list(reversed(_find(request).statuses)), request)


def tell(world: World, request: Request) -> Any:
    one, fields = _find(request), dict(request.body)
    _check_length(fields)
    _add(world, one, fields)
    if fields["state"] == "success" and fields.get("auto_inactive", True):
        for other in request.the_repo.deployments:
            is_prior = other.id < one.id and _environment(other) == _environment(one) and other.state == "success"
            if is_prior and not other.fields.get("production_environment", _environment(other) == "production"):
                _add(world, other, {"state": "inactive"})
    return one.statuses[-1]


def _add(world: World, one: Deployment, fields: dict[str, Any]) -> None:
    empty = {"description": "", "log_url": "", "environment_url": ""}
    one.statuses.append({"id": next(world.ids), **empty, **fields})


def _find(request: Request) -> Deployment:
    for one in request.the_repo.deployments:
        if str(one.id) == request.parts["deployment_id"]:
            return one
    raise Refusal(404, "Not Found")


def _environment(one: Deployment) -> str:
    return str(one.fields.get("environment", "production"))


def _check_length(fields: dict[str, Any]) -> None:
    if len(fields.get("description") or "") > LONGEST_DESCRIPTION:
        words = f"description is too long (maximum is {LONGEST_DESCRIPTION} characters)"
        raise Refusal(422, "Validation Failed", [{"message": words}])
