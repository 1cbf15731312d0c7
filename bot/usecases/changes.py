"""A change as it stands now: opened, pushed to, retargeted, merged or closed."""

from __future__ import annotations

import structlog

from bot.domain.change import Change, ChangeSeen, ChangeState, Repository
from bot.domain.errors import UserError
from bot.domain.feedback import LedgerEntry, Subject
from bot.domain.plan import Plan, plan_change
from bot.domain.project import Project
from bot.project_file import ProjectFileError
from bot.usecases.heads import MACHINE, Head, active_runs, order_models, read_policy, show_plan, supersede
from bot.usecases.notices import from_a_fork, invalid_project
from bot.usecases.projects import read_project
from bot.usecases.world import World
from bot.usecases.writes import Cancel, Writes

log = structlog.get_logger()

FORK_HEAD_SEEN = "fork_head_seen"


def change_seen(event: ChangeSeen, world: World) -> Writes:
    change = event.change
    known = world.store.change(change.repository, change.number)
    writes = Writes(repositories=[event.repository], changes=[change])
    writes.expected_changes.append((change.repository, change.number, known))
    waiting = world.store.deployments(repository=change.repository, number=change.number, active=True)
    writes.woken_deployments += [deployment.id for deployment in waiting]
    if change.state is not ChangeState.OPEN:
        writes.cancels += _end_runs(change, world, by=f"{change.state}")
    elif known is None or _asks_for_a_plan(known, change):
        _plan(event, known, world, writes)
    return writes


def subject_of(change: Change) -> Subject:
    return Subject(change.repository, change.number, change.source_branch, change.head_sha)


def head_of(repository: Repository, change: Change, world: World) -> Head:
    """The change's head, held to the policy of its target branch as that is now."""
    target = _target_sha(repository, change, world)
    return Head(
        repository, subject_of(change), change.target_branch, target, change.author, is_trusted=not change.from_fork
    )


def _asks_for_a_plan(known: Change, change: Change) -> bool:
    return (
        known.head_sha != change.head_sha
        or known.target_branch != change.target_branch
        or known.state is not ChangeState.OPEN
    )


def _end_runs(change: Change, world: World, *, by: str) -> list[Cancel]:
    """A merged or closed change needs nothing more; a new target judges by other gates and another base."""
    return [Cancel(run.id, by=MACHINE, superseded_by=by) for run in active_runs(subject_of(change), world)]


def _target_sha(repository: Repository, change: Change, world: World) -> str | None:
    try:
        return world.git.resolve(repository.clone_address, change.target_branch)
    except UserError:  # the target branch is gone
        return None


def _plan(event: ChangeSeen, known: Change | None, world: World, writes: Writes) -> None:
    change = event.change
    subject = subject_of(change)
    is_retargeted = known is not None and known.target_branch != change.target_branch
    writes.cancels += _end_runs(change, world, by=change.head_sha) if is_retargeted else supersede(subject, world)
    if change.from_fork:
        writes.show(subject, from_a_fork(change.head_sha))
        writes.ledger.append(
            LedgerEntry(world.clock(), change.author, FORK_HEAD_SEEN, change.repository, change.head_sha)
        )
        return
    plan_head(event.repository, change, world, writes, trigger=change_trigger(change), requested_by=change.author)


def plan_head(
    repository: Repository, change: Change, world: World, writes: Writes, *, trigger: str, requested_by: str
) -> None:
    """Order what the change's head asks for, and say what there is to say of it."""
    subject = subject_of(change)
    head = head_of(repository, change, world)
    address = head.address
    world.git.fetch(address, [sha for sha in (change.head_sha, head.policy_sha) if sha is not None])
    try:
        project = read_project(address, change.head_sha, world)
    except ProjectFileError as error:
        writes.show(subject, invalid_project(change.head_sha, error))
        return
    if project is None:
        log.info("project_absent", repository=change.repository, change=change.number, sha=change.head_sha)
        if world.store.feedback(subject.id) is not None:
            writes.show(subject)  # what was said of an earlier head is taken back
        return
    policy = read_policy(head, project, world)
    plan = change_plan(head, project, policy, world)
    writes.runs += order_models(
        head,
        plan.to_run,
        policy,
        world,
        trigger=trigger,
        requested_by=requested_by,
    )
    show_plan(head, plan, writes.runs, writes)


def change_plan(head: Head, project: Project, policy: Project | None, world: World) -> Plan:
    message = world.git.commit(head.address, head.subject.sha).message
    return plan_change(project, message=message, changed_paths=changed_paths(head, world), base=policy)


def change_trigger(change: Change) -> str:
    """Equal for what was seen twice, so that it runs once."""
    return f"change:{change.number}:{change.head_sha}:{change.target_branch}"


def changed_paths(head: Head, world: World) -> list[str] | None:
    """All that the change itself does, since it left its target branch."""
    if head.policy_sha is None:
        return None
    merge_base = world.git.merge_base(head.address, head.policy_sha, head.subject.sha)
    if merge_base is None:
        return None
    return world.git.changed_paths(head.address, merge_base, head.subject.sha)
