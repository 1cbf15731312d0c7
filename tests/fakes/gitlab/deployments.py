"""Deployments and environments on the fake GitLab (Deployments::CreateService, and the model's state machine)."""

from __future__ import annotations

from tests.fakes.gitlab import answers, repositories
from tests.fakes.gitlab.answers import Answer, Refusal
from tests.fakes.gitlab.records import DEVELOPER, Deployment, Environment
from tests.fakes.gitlab.request import Request, paged

LONGEST_URL = 255
_TIERS = ("production", "staging", "testing", "development", "other")
# event of the state machine, and the states from which it does not lead
_EVENTS = {
    "running": ("run", ("running", "success", "failed", "canceled")),
    "success": ("succeed", ("success",)),
    "failed": ("drop", ("failed",)),
    "canceled": ("cancel", ("canceled",)),
}


def listed(request: Request) -> Answer:
    name = request.query.get("environment")
    found = [one for one in request.project().deployments if name in (None, one.environment.name)]
    if request.query.get("status"):
        found = [one for one in found if one.status == request.query["status"]]
    if request.query.get("sort", "asc") == "desc":
        found.reverse()
    return paged(request, [answers.deployment(one) for one in found])


def one(request: Request) -> Answer:
    return Answer(200, answers.deployment(_find(request)))


def create(request: Request) -> Answer:
    project, fields = request.project(at_least=DEVELOPER), request.fields
    environment = next((known for known in project.environments if known.name == fields["environment"]), None)
    if environment is None:
        environment = Environment(request.world.next_id(), fields["environment"])
        project.environments.append(environment)
    made = Deployment(0, environment, fields["sha"], fields["ref"], fields["tag"], request.user)
    live = [known for known in project.deployments if known.environment is environment and known.status == "success"]
    if live and _told(live[-1]) == (fields["status"], fields["sha"], fields["ref"], fields["tag"]):
        return Answer(201, answers.deployment(live[-1]))
    if not repositories.is_commit(project.bare, made.sha):
        raise Refusal(400, {"sha": ["The commit does not exist"]})
    kind = "tags" if made.tag else "heads"
    if made.ref != made.sha and not repositories.git(project.bare, "for-each-ref", f"refs/{kind}/{made.ref}"):
        raise Refusal(400, {"ref": ["The branch or tag does not exist"]})
    _move(made, fields["status"])
    made.id = request.world.next_id()
    project.deployments.append(made)
    return Answer(201, answers.deployment(made))


def update(request: Request) -> Answer:
    request.project(at_least=DEVELOPER)
    found = _find(request)
    _move(found, request.fields["status"])
    return Answer(200, answers.deployment(found))


def update_environment(request: Request) -> Answer:
    for found in request.project(at_least=DEVELOPER).environments:
        if str(found.id) == request.parts[1]:
            url = request.fields.get("external_url", found.external_url)
            if url and (len(url) > LONGEST_URL or not url.startswith(("http://", "https://"))):
                raise Refusal(400, {"external_url": ["is blocked: Only allowed schemes are http, https"]})
            if request.fields.get("tier", found.tier) not in _TIERS:
                raise Refusal(400, "tier does not have a valid value", key="error")
            found.external_url, found.tier = url, request.fields.get("tier", found.tier)
            return Answer(200, answers.environment(found))
    raise Refusal(404, "404 Not found")


def _move(deployment: Deployment, status: str) -> None:
    if status not in _EVENTS:
        raise Refusal(400, "status does not have a valid value", key="error")
    event, dead_ends = _EVENTS[status]
    if deployment.status in dead_ends:
        raise Refusal(400, {"status": [f'cannot transition via "{event}"']})
    deployment.status = status


def _told(of: Deployment) -> tuple[object, ...]:
    return of.status, of.sha, of.ref, of.tag


def _find(request: Request) -> Deployment:
    for found in request.project().deployments:
        if str(found.id) == request.parts[1]:
            return found
    raise Refusal(404, "404 Not found")
