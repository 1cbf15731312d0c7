"""Somebody pressed a button: "re-run" on a check, or "run again" and "cancel" on a run's page."""

from __future__ import annotations

import structlog

from bot.domain.change import Change, CheckActionRequested, CheckRerunRequested, Repository, RepositoryGone
from bot.domain.errors import UserError
from bot.domain.feedback import LedgerEntry, Subject
from bot.domain.pipeline import DEPLOY, TRAIN
from bot.domain.report_checks import CANCEL, RETRAIN
from bot.domain.run import Run
from bot.usecases.deployments.decisions import Voice, approve_one, reject_one, waiting_for_approval
from bot.usecases.heads import MACHINE, Head, order_models
from bot.usecases.ordering import order_again
from bot.usecases.projects import read_project
from bot.usecases.world import World
from bot.usecases.writes import Cancel, Writes, apply

CHECK_PREFIX = "mlops/"
APPROVE, REJECT = "approve", "reject"  # the buttons of a deployment that waits

log = structlog.get_logger()


def check_rerun_requested(event: CheckRerunRequested, world: World) -> Writes:
    """Runs again what the check stands for. Whoever pressed is authorised afresh."""
    writes = Writes()
    repository = event.repository
    if not world.forge_of(repository.key).permission(repository.key, event.requested_by).may_write:
        return writes
    model = event.name.removeprefix(CHECK_PREFIX)
    runs = world.store.runs(repository=repository.key, model=model, limit=200)
    run = next((run for run in runs if run.sha == event.sha), None)
    was_done = any(known.trigger == event.trigger for known in runs)  # the same delivery once more
    if run is not None and not was_done:
        _again(run, world, writes, trigger=event.trigger, by=event.requested_by)
    return writes


def check_action_requested(event: CheckActionRequested, world: World) -> Writes:
    """A button on a check: `retrain` or `cancel`. Whoever pressed is authorised afresh."""
    if event.action in (APPROVE, REJECT):
        return _decided(event, world)
    if event.action == RETRAIN:
        rerun_event = CheckRerunRequested(event.repository, event.sha, event.name, event.requested_by, event.trigger)
        return check_rerun_requested(rerun_event, world)
    writes = Writes()
    key = event.repository.key
    if event.action != CANCEL or not world.forge_of(key).permission(key, event.requested_by).may_write:
        return writes
    active = world.store.runs(repository=key, model=event.name.removeprefix(CHECK_PREFIX), active=True)
    writes.cancels += [Cancel(run.id, by=event.requested_by) for run in active if run.sha == event.sha]
    return writes


def _decided(event: CheckActionRequested, world: World) -> Writes:
    """*Approve* or *Reject* on the check of a deployment, `mlops/<model>/<environment>`. A button has no place for
    words, so a refusal is in the log, and the check stays as it is."""
    writes, key = Writes(), event.repository.key
    model, _, environment = event.name.removeprefix(CHECK_PREFIX).partition("/")
    if not world.forge_of(key).permission(key, event.requested_by).may_write:
        return writes
    voice = Voice(event.requested_by, f"button:{event.trigger}", said_at=world.clock())
    for deployment in waiting_for_approval(world, repository=key, model=model):
        if (deployment.environment, deployment.sha) != (environment, event.sha):
            continue
        try:
            if event.action == APPROVE:
                approve_one(deployment, voice, writes, world)
            else:
                reject_one(deployment, voice, "", writes, world)
        except UserError as error:
            log.warning("decision_refused", deployment=deployment.id, by=event.requested_by, problem=error.problem)
    return writes


def repository_gone(event: RepositoryGone, world: World) -> Writes:
    """What still runs is ended: nobody could see its result."""
    log.warning("repository_gone", repository=event.repository, reason=event.reason)
    active = world.store.runs(repository=event.repository, active=True, limit=1000)
    return Writes(cancels=[Cancel(run.id, by=MACHINE) for run in active])


def rerun(run_id: str, *, by: str, trigger: str, world: World) -> str:
    """Order a run once more, and give the new one's id. Raises UserError."""
    writes = Writes()
    run = _known(run_id, world)
    if run.pipeline == DEPLOY:
        raise UserError(
            "A deployment is not run again by itself: what it was let pass for may not hold any more.",
            "Deploy again from the change: `/deploy <environment>`.",
        )
    again = _again(run, world, writes, trigger=trigger, by=by)
    with world.store.transaction() as tx:
        apply(writes, tx, now=world.clock())
    return again.id


def cancel(run_id: str, *, by: str, world: World) -> None:
    """Ask for a run's end; that of a deployment gives the deployment up. Raises UserError when it has ended."""
    run = _known(run_id, world)
    if run.phase.is_final:
        raise UserError("This run has ended already.")
    deployment = world.store.deployment_of_run(run.id) if run.pipeline == DEPLOY else None
    if deployment is not None:  # whose end brings the run's
        writes = Writes(canceled_deployments=[(deployment.id, by)])
    else:
        writes = Writes(cancels=[Cancel(run.id, by=by)])
    writes.ledger.append(LedgerEntry(world.clock(), by, "cancel", run.repository, run.id))
    with world.store.transaction() as tx:
        apply(writes, tx, now=world.clock())


def _known(run_id: str, world: World) -> Run:
    run = world.store.run(run_id)
    if run is None:
        raise UserError("There is no such run.")
    return run


def _again(run: Run, world: World, writes: Writes, *, trigger: str, by: str) -> Run:
    repository = world.store.repository(run.repository)
    if repository is None:
        raise UserError("The run's repository is no longer watched.")
    if run.number is not None:
        change = world.store.change(run.repository, run.number)
        if change is None:
            raise UserError("The run's change is no longer known.")
        again = _on_change(repository, change, run, world, trigger, by)
    else:
        again = _on_branch(repository, run, world, trigger, by)
    writes.runs.append(again)
    writes.show(Subject(again.repository, again.number, again.branch, again.sha))
    writes.ledger.append(LedgerEntry(world.clock(), by, "rerun", run.repository, again.id, {"of": run.id}))
    return again


def _on_change(repository: Repository, change: Change, run: Run, world: World, trigger: str, by: str) -> Run:
    if change.head_sha != run.sha:
        raise UserError(
            f"This run is of `{run.sha[:10]}`, and the change has moved on to `{change.head_sha[:10]}`.",
            "Run the newest one again instead.",
        )
    return order_again(repository, change, run, world, trigger=trigger, requested_by=by)


def _on_branch(repository: Repository, run: Run, world: World, trigger: str, by: str) -> Run:
    """A branch is held to its own policy, at its own commit."""
    if run.pipeline != TRAIN:
        raise UserError("Only training runs of a branch can be run again.")
    (newest,) = world.store.runs(repository=run.repository, branch=run.branch, model=run.model, limit=1)
    if newest.sha != run.sha:
        raise UserError(
            f"This run is of `{run.sha[:10]}`, and `{run.branch}` has moved on to `{newest.sha[:10]}`.",
            "Run the newest one again instead.",
        )
    subject = Subject(run.repository, None, run.branch, run.sha)
    head = Head(repository, subject, run.branch, run.sha, by)
    world.git.fetch(head.address, [run.sha])
    project = read_project(head.address, run.sha, world)
    model = project.model(run.model) if project is not None else None
    if model is None:
        raise UserError(f"There is no model `{run.model}` at `{run.sha[:10]}`.")
    (again,) = order_models(head, [model], project, world, trigger=trigger, requested_by=by, force=True)
    return again
