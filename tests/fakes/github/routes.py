"""What the fake answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.contracts.git_workshop import git
from tests.fakes.github import deployments, organizations, shapes
from tests.fakes.github.records import CheckRun, Grant, Note, Pull, now
from tests.fakes.github.requests import Page, Refusal, Request, paged
from tests.fakes.github.world import World

LONGEST_COMMENT = 65_536
REPO = "/repos/{owner}/{repo}"

Handler = Callable[[World, Request], Any]


@dataclass(frozen=True)
class Route:
    """`needs` is the permission of an installation's or a person's token; "app" is the App itself."""

    needs: tuple[str, str] | str
    handle: Handler
    status: int = 200


def _user(_world: World, request: Request) -> Any:
    return shapes.user(request.the_grant.user)


def _repo(_world: World, request: Request) -> Any:
    level = request.the_repo.collaborators.get(request.the_grant.user.login.lower(), "")
    return {**shapes.repo(request.the_repo), "permissions": {"push": level in ("write", "admin"), "pull": True}}


def _app(world: World, _request: Request) -> Any:
    app = world.app
    return {"id": app.id, "slug": app.slug, "permissions": app.permissions, "events": app.events}


def _installations(world: World, request: Request) -> Any:
    return paged([shapes.installation(one, world.app) for one in world.installations.values()], request)


def _installation_of(world: World, request: Request) -> Any:
    found = world.installation_of(request.the_repo)
    if found is None:
        raise Refusal(404, "Not Found")
    return shapes.installation(found, world.app)


def _mint(world: World, request: Request) -> Any:
    installation = world.installations.get(int(request.parts["installation_id"]))
    if installation is None:
        raise Refusal(404, "Not Found")
    if installation.is_suspended:
        raise Refusal(403, "This installation has been suspended")
    names = request.body.get("repositories")
    repos = {f"{installation.account}/{name}" for name in names} if names is not None else set(installation.repos)
    if not repos <= installation.repos:
        raise Refusal(422, "There is at least one repository that does not exist or is not accessible.")
    wanted = request.body.get("permissions", dict(installation.permissions))
    levels = ["", "read", "write"]
    for name, level in wanted.items():
        if levels.index(level) > levels.index(installation.permissions.get(name, "")):
            raise Refusal(422, "The permissions requested are not granted to this installation.")
    token = f"ghs_{secrets.token_hex(18)}"
    expires_at = now() + timedelta(hours=1)
    account = f"installation:{installation.id}"
    world.grants[token] = Grant(token, account, world.bot, repos, dict(wanted), expires_at, installation)
    return {"token": token, "expires_at": shapes.when(expires_at), "permissions": wanted}


def _installed(world: World, request: Request) -> Any:
    repos = [shapes.repo(repo) for repo in world.repos.values() if repo.full_name in request.the_grant.repos]
    page = paged(repos, request)
    return Page({"total_count": len(repos), "repositories": page.items}, page.has_next, page.number)


def _hook_deliveries(world: World, request: Request) -> Any:
    return paged([shapes.delivery(one) for one in reversed(world.hooks.deliveries)], request, by="cursor")


def _redeliver(world: World, request: Request) -> Any:
    if not world.hooks.redeliver(int(request.parts["delivery_id"])):
        raise Refusal(404, "Not Found")
    return {}


def _convert(world: World, request: Request) -> Any:
    if request.parts["code"] != "a-code":
        raise Refusal(404, "Not Found")
    app = world.app
    return {"id": app.id, "slug": app.slug, "html_url": f"https://github.com/apps/{app.slug}", "client_id": "Iv1",
            "client_secret": "s", "pem": app.private_key, "webhook_secret": world.hooks.secret}  # fmt: skip


def _pulls(_world: World, request: Request) -> Any:
    state = request.query.get("state", "open")
    key = "updated_at" if request.query.get("sort") == "updated" else "created_at"
    is_descending = request.query.get("direction", "desc") == "desc"
    pulls = [pull for pull in request.the_repo.pulls.values() if state in ("all", pull.state)]
    pulls.sort(key=lambda pull: (getattr(pull, key), pull.number), reverse=is_descending)
    return paged([shapes.pull(pull, request.the_repo, is_listed=True) for pull in pulls], request)


def _pull(_world: World, request: Request) -> Any:
    return shapes.pull(_find_pull(request, "pull_number"), request.the_repo)


def _commits(world: World, request: Request) -> Any:
    """Oldest first, and no more than 250."""
    pull, bare = _find_pull(request, "pull_number"), request.the_repo.bare
    base = request.the_repo.heads[pull.base_ref]
    log = git(bare, "log", "--reverse", "--max-count=250", "--format=%H %ae %ce", f"{base}..{pull.head_sha}")
    commits = [line.split(" ") for line in log.splitlines()]
    return paged(
        [shapes.commit(sha, world.with_email(by), world.with_email(and_)) for sha, by, and_ in commits], request
    )


def _notes(kind: str, number: str) -> Handler:
    def handle(_world: World, request: Request) -> Any:
        since = request.query.get("since")
        after = datetime.fromisoformat(since) if since else None
        notes = [note for note in _find_pull(request, number).notes if note.kind == kind]
        return paged([shapes.note(note) for note in notes if after is None or note.updated_at >= after], request)

    return handle


def _note(kind: str, id_name: str) -> Handler:
    def handle(_world: World, request: Request) -> Any:
        return shapes.note(_find_note(request, kind, id_name)[1])

    return handle


def _add_comment(world: World, request: Request) -> Any:
    pull = _find_pull(request, "issue_number")
    note = Note(next(world.ids), "issue", request.the_grant.user, _body(request), now(), now())
    return shapes.note(world.add_note(request.the_repo, pull, note))


def _edit_comment(_world: World, request: Request) -> Any:
    pull, note = _find_note(request, "issue", "comment_id")
    note.body, note.updated_at, pull.updated_at = _body(request), now(), now()
    return shapes.note(note)


def _permission(world: World, request: Request) -> Any:
    login = request.parts["username"].lower()
    if login not in world.users:
        raise Refusal(404, f"{login} is not a user")
    level = request.the_repo.collaborators.get(login, "none" if request.the_repo.is_private else "read")
    return {"permission": level, "role_name": level, "user": shapes.user(world.users[login])}


def _create_check(world: World, request: Request) -> Any:
    repo, body = request.the_repo, dict(request.body)
    if not git(repo.bare, "cat-file", "-t", body["head_sha"], check=False):
        raise Refusal(422, f"No commit found for SHA: {body['head_sha']}")
    run = CheckRun(next(world.ids), body["name"], body["head_sha"], world.app.id, {"status": "queued"})
    _change_check(run, body)
    repo.runs.append(run)
    return shapes.check_run(run)


def _update_check(_world: World, request: Request) -> Any:
    run = _find_run(request)
    _change_check(run, dict(request.body))
    return shapes.check_run(run)


def _change_check(run: CheckRun, body: dict[str, Any]) -> None:
    is_completed = body.get("status") == "completed"
    if is_completed and "conclusion" not in body and "conclusion" not in run.fields:
        raise Refusal(422, "Invalid request. A conclusion is needed for a completed check run.")
    run.annotations += body.get("output", {}).pop("annotations", [])
    run.fields = {**run.fields, **body}
    if "conclusion" in body:
        run.fields["status"] = "completed"
    elif not is_completed:
        run.fields.pop("conclusion", None)


def _check(_world: World, request: Request) -> Any:
    return shapes.check_run(_find_run(request))


def _annotations(_world: World, request: Request) -> Any:
    return paged(list(_find_run(request).annotations), request)


def _checks_of(_world: World, request: Request) -> Any:
    runs = [run for run in request.the_repo.runs if run.head_sha == request.parts["ref"]]
    if name := request.query.get("check_name"):
        runs = [run for run in runs if run.name == name]
    if request.query.get("filter", "latest") == "latest":
        runs = list({run.name: run for run in runs}.values())
    page = paged([shapes.check_run(run) for run in runs], request)
    return Page({"total_count": len(runs), "check_runs": page.items}, page.has_next, page.number)


def _set_status(world: World, request: Request) -> Any:
    sha = request.parts["sha"]
    if len(request.body.get("description", "")) > 140:
        raise Refusal(422, "Validation Failed", [{"message": "description is too long (maximum is 140 characters)"}])
    if not git(request.the_repo.bare, "cat-file", "-t", sha, check=False):
        raise Refusal(422, f"No commit found for SHA: {sha}")
    status = {"id": next(world.ids), "sha": sha, **request.body}
    request.the_repo.statuses.append(status)
    return status


def _body(request: Request) -> str:
    body = str(request.body["body"])
    if not body.strip():
        raise Refusal(422, "Validation Failed", [{"message": "Body can't be blank"}])
    if len(body) > LONGEST_COMMENT:
        raise Refusal(422, "Validation Failed", [{"message": "Body is too long (maximum is 65536 characters)"}])
    return body


def _find_pull(request: Request, name: str) -> Pull:
    pull = request.the_repo.pulls.get(int(request.parts[name]))
    if pull is None:
        raise Refusal(404, "Not Found")
    return pull


def _find_note(request: Request, kind: str, name: str) -> tuple[Pull, Note]:
    for pull in request.the_repo.pulls.values():
        for note in pull.notes:
            if note.kind == kind and note.id == int(request.parts[name]):
                return pull, note
    raise Refusal(404, "Not Found")


def _find_run(request: Request) -> CheckRun:
    for run in request.the_repo.runs:
        if run.id == int(request.parts["check_run_id"]):
            return run
    raise Refusal(404, "Not Found")


READ_PULLS, WRITE_PULLS = ("pull_requests", "read"), ("pull_requests", "write")
ROUTES: dict[str, Route] = {
    "GET /user": Route("user", _user),
    "GET /app": Route("app", _app),
    "GET /app/installations": Route("app", _installations),
    "POST /app/installations/{installation_id}/access_tokens": Route("app", _mint, 201),
    "GET /app/hook/deliveries": Route("app", _hook_deliveries),
    "POST /app/hook/deliveries/{delivery_id}/attempts": Route("app", _redeliver, 202),
    "POST /app-manifests/{code}/conversions": Route("anybody", _convert, 201),
    "GET /installation/repositories": Route(("metadata", "read"), _installed),
    f"GET {REPO}": Route(("metadata", "read"), _repo),
    f"GET {REPO}/installation": Route("app", _installation_of),
    f"GET {REPO}/pulls": Route(READ_PULLS, _pulls),
    f"GET {REPO}/pulls/{{pull_number}}": Route(READ_PULLS, _pull),
    f"GET {REPO}/pulls/{{pull_number}}/comments": Route(READ_PULLS, _notes("diff", "pull_number")),
    f"GET {REPO}/pulls/{{pull_number}}/reviews": Route(READ_PULLS, _notes("review", "pull_number")),
    f"GET {REPO}/pulls/{{pull_number}}/reviews/{{review_id}}": Route(READ_PULLS, _note("review", "review_id")),
    f"GET {REPO}/pulls/comments/{{comment_id}}": Route(READ_PULLS, _note("diff", "comment_id")),
    f"GET {REPO}/issues/{{issue_number}}/comments": Route(("issues", "read"), _notes("issue", "issue_number")),
    f"POST {REPO}/issues/{{issue_number}}/comments": Route(("issues", "write"), _add_comment, 201),
    f"GET {REPO}/issues/comments/{{comment_id}}": Route(("issues", "read"), _note("issue", "comment_id")),
    f"PATCH {REPO}/issues/comments/{{comment_id}}": Route(("issues", "write"), _edit_comment),
    f"GET {REPO}/collaborators/{{username}}/permission": Route(("metadata", "read"), _permission),
    f"POST {REPO}/check-runs": Route(("checks", "write"), _create_check, 201),
    f"GET {REPO}/check-runs/{{check_run_id}}": Route(("checks", "read"), _check),
    f"PATCH {REPO}/check-runs/{{check_run_id}}": Route(("checks", "write"), _update_check),
    f"GET {REPO}/check-runs/{{check_run_id}}/annotations": Route(("checks", "read"), _annotations),
    f"GET {REPO}/commits/{{ref}}/check-runs": Route(("checks", "read"), _checks_of),
    f"POST {REPO}/statuses/{{sha}}": Route(("statuses", "write"), _set_status, 201),
    f"GET {REPO}/pulls/{{pull_number}}/commits": Route(READ_PULLS, _commits),
    f"GET {REPO}/deployments": Route(("deployments", "read"), deployments.listed),
    f"POST {REPO}/deployments": Route(("deployments", "write"), deployments.create, 201),
    f"GET {REPO}/deployments/{{deployment_id}}/statuses": Route(("deployments", "read"), deployments.statuses),
    f"POST {REPO}/deployments/{{deployment_id}}/statuses": Route(("deployments", "write"), deployments.tell, 201),
    "GET /orgs/{org}/installation": Route("app", organizations.installation),
    "GET /orgs/{org}/teams/{team_slug}/memberships/{username}": Route(("members", "read"), organizations.membership),
}
