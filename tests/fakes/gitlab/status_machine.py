"""How GitLab moves a commit status from one state to the next (Ci::CreateCommitStatusService and CommitStatus)."""

from __future__ import annotations

from tests.fakes.gitlab import repositories
from tests.fakes.gitlab.answers import Refusal
from tests.fakes.gitlab.records import Project, Status
from tests.fakes.gitlab.world import World

_ALIVE = ("created", "pending", "running")
# event of the state machine, and from which states it leads
_EVENTS = {
    "pending": ("enqueue", ("created",)),
    "running": ("run", ("created", "pending")),
    "success": ("success", _ALIVE),
    "failed": ("drop", _ALIVE),
    "canceled": ("cancel", _ALIVE),
    "skipped": ("skip", ("created", "pending")),
}


def set_status(world: World, project: Project, sha: str, fields: dict[str, str]) -> Status:
    """One that has ended is never moved: another takes its place."""
    if not repositories.is_commit(project.bare, sha):
        raise Refusal(404, "404 Commit Not Found")
    name = fields.get("name") or fields.get("context") or "default"
    ref = fields.get("ref") or _ref(project, sha)
    for field in ("name", "description", "target_url"):
        if len(fields.get(field, "")) > 255:
            raise Refusal(400, {field: ["is too long (maximum is 255 characters)"]})
    status = next(
        (one for one in project.statuses if (one.sha, one.ref, one.name) == (sha, ref, name) and one.state in _ALIVE),
        None,
    )
    current = status.state if status else "created"
    if fields["state"] not in _EVENTS:
        raise Refusal(400, "state does not have a valid value", key="error")
    event, origins = _EVENTS[fields["state"]]
    if current not in origins:
        reason = (
            f'Cannot transition status via :{event} from :{current} (Reason(s): Status cannot transition via "{event}")'
        )
        raise Refusal(400, reason)
    if status is None:
        status = Status(world.next_id(), sha, ref, name, current, None, None)
        project.statuses.append(status)
    status.state = fields["state"]
    status.description = fields.get("description", status.description)
    status.target_url = fields.get("target_url", status.target_url)
    return status


def _ref(project: Project, sha: str) -> str:
    """Of the commit's newest pipeline, else a branch that holds the commit."""
    of_pipeline = [status.ref for status in project.statuses if status.sha == sha]
    branches = of_pipeline[-1:] or repositories.branches_with(project.bare, sha)
    if not branches:
        raise Refusal(404, "404 References for commit Not Found")
    return branches[0]
