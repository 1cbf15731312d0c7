"""A branch moved."""

from __future__ import annotations

import structlog

from bot.domain.change import PushReceived, Repository
from bot.domain.errors import UserError
from bot.domain.feedback import Subject
from bot.domain.glob import glob_matches
from bot.domain.plan import Plan, plan_push
from bot.domain.project import Project
from bot.project_file import ProjectFileError
from bot.usecases.deployments.versions import version_of_merged
from bot.usecases.heads import MACHINE, Head, active_runs, order_models, show_plan, supersede
from bot.usecases.notices import invalid_project
from bot.usecases.projects import read_project
from bot.usecases.world import World
from bot.usecases.writes import Cancel, Writes

log = structlog.get_logger()


def push_received(event: PushReceived, world: World) -> Writes:
    repository, sha = event.repository, event.after_sha
    writes = Writes(repositories=[repository], heads=[(repository.key, event.branch, sha)])
    handled = world.store.heads(repository.key).get(event.branch)
    writes.expected_heads.append((repository.key, event.branch, handled))
    if handled == sha:
        return writes
    if sha is None:
        writes.cancels += _end_runs(event, world)
        return writes
    address = repository.clone_address
    if _is_gone(event, sha, world):
        log.info("pushed_commit_gone", repository=repository.key, branch=event.branch, sha=sha)
        return Writes(repositories=[repository])
    try:
        project = read_project(address, sha, world)
    except ProjectFileError as error:
        if event.branch == repository.default_branch:
            writes.show(_subject(event, sha), invalid_project(sha, error))
        return writes
    if project is None:
        log.info("project_absent", repository=repository.key, branch=event.branch, sha=sha)
        return writes
    if not trains_on(project, event.branch, default_branch=repository.default_branch):
        return writes
    head = pushed_head(event, sha)
    plan = push_plan(head, project, world, before=handled or event.before_sha)
    running = {model.name for model in plan.to_run}
    spared = [model.name for model in project.models if model.name not in running]  # nothing new about these
    writes.cancels += supersede(head.subject, world, spared=spared)
    writes.runs += order_models(
        head, plan.to_run, project, world, trigger=f"push:{sha}", requested_by=event.author or "push"
    )
    writes.versions += filter(None, (version_of_merged(run, world) for run in writes.runs))
    writes.woken_deployments += woken_by_push(repository.key, world)
    show_plan(head, plan, writes.runs, writes)
    return writes


def woken_by_push(repository: str, world: World) -> list[str]:
    """Policy comes from branches, and so do results: what waits is looked at anew."""
    return [deployment.id for deployment in world.store.deployments(repository=repository, active=True)]


def _is_gone(event: PushReceived, sha: str, world: World) -> bool:
    """Whether another push took the commit away before it was read. Then there is nothing to say of it: what stands
    there now is told by that push, or found when the repository is compared. Raises UserError when the branch is still
    said to be there and can not be had."""
    address = event.repository.clone_address
    try:
        world.git.fetch(address, [sha])
    except UserError:
        if world.git.heads(address).get(event.branch) == sha:
            raise
        return True
    return False


def pushed_head(event: PushReceived, sha: str) -> Head:
    """Held to its own policy."""
    return Head(event.repository, _subject(event, sha), event.branch, sha, event.author)


def push_plan(head: Head, project: Project, world: World, *, before: str | None) -> Plan:
    """`before` is the commit that was there, None for a new branch."""
    repository, sha = head.repository, head.subject.sha
    return plan_push(
        project,
        branch=head.subject.branch,
        default_branch=repository.default_branch,
        message=world.git.commit(head.address, sha).message,
        changed_paths=_changed_paths(repository, before, sha, world),
        base=_project_before(repository, before, world),
    )


def _end_runs(event: PushReceived, world: World) -> list[Cancel]:
    subject = _subject(event, event.before_sha or "")
    return [Cancel(run.id, by=MACHINE, superseded_by="deleted") for run in active_runs(subject, world)]


def trains_on(project: Project, branch: str, *, default_branch: str) -> bool:
    return any(glob_matches(pattern, branch) for pattern in project.push_branches or (default_branch,))


def _subject(event: PushReceived, sha: str) -> Subject:
    return Subject(event.repository.key, None, event.branch, sha)


def _changed_paths(repository: Repository, before: str | None, after: str, world: World) -> list[str] | None:
    """None when it can not be known: a new branch, or a history that was rewritten and is gone."""
    if before is None:
        return None
    try:
        world.git.fetch(repository.clone_address, [before])
        return world.git.changed_paths(repository.clone_address, before, after)
    except UserError:
        return None


def _project_before(repository: Repository, before: str | None, world: World) -> Project | None:
    if before is None:
        return None
    try:
        return read_project(repository.clone_address, before, world)
    except UserError:  # invalid then, or gone: every model is looked at
        return None
