"""A new head, of a branch or of a change: read its project, decide what runs, and order it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from bot.domain.change import Repository
from bot.domain.feedback import Notice, Subject
from bot.domain.params import coerce_params
from bot.domain.pipeline import TRAIN
from bot.domain.plan import Plan
from bot.domain.policy import effective_model
from bot.domain.project import Model, Project
from bot.domain.run import Phase, Run
from bot.domain.words import listed
from bot.project_file import ProjectFileError
from bot.usecases.notices import nothing_to_run
from bot.usecases.orders import Order, order_run
from bot.usecases.projects import read_project
from bot.usecases.world import World
from bot.usecases.writes import Cancel, Writes

log = structlog.get_logger()

MACHINE = "mlops-bot"
MOST_ACTIVE = 10_000  # runs of one branch or change at once


@dataclass(frozen=True, slots=True)
class Head:
    """`policy_sha` is the commit whose `mlops.yaml` holds the policy: the target branch's, None when there is none."""

    repository: Repository
    subject: Subject
    policy_branch: str
    policy_sha: str | None
    author: str
    is_trusted: bool = True  # not a fork's: only then may its runs have secrets

    @property
    def address(self) -> str:
        return self.repository.clone_address


def order_models(
    head: Head,
    models: Iterable[Model],
    policy: Project | None,
    world: World,
    *,
    trigger: str,
    given_params: Mapping[str, str] | None = None,
    requested_by: str,
    data_rev: str = "",
    force: bool = False,
) -> list[Run]:
    """Runs for these models at the head. Raises UserError for params that the model does not allow."""
    subject = head.subject
    runs = []
    for model in models:
        effective, notes = effective_for(head, model, policy)
        order = Order(
            repository=head.repository,
            model=effective,
            pipeline=TRAIN,
            sha=subject.sha,
            branch=subject.branch,
            number=subject.number,
            base_branch=head.policy_branch,
            params=coerce_params(model.params, given_params or {}),
            trigger=trigger,
            requested_by=requested_by,
            notes=notes,
            data_rev=data_rev,
            force=force,
        )
        runs.append(_current(order_run(order, world), order, world))
    return runs


def effective_for(head: Head, model: Model, policy: Project | None) -> tuple[Model, tuple[str, ...]]:
    """The model as it counts at this head, and what the report says of the difference."""
    base = policy.model(model.name) if policy is not None else None
    effective, notes = effective_model(model, base, base_name=head.policy_branch)
    if head.is_trusted or not effective.secrets:
        return effective, notes
    names = listed(list(effective.secrets))
    return replace(effective, secrets=()), (*notes, f"{names} not given to this run: the change comes from a fork.")


def read_policy(head: Head, project: Project, world: World) -> Project | None:
    """The project of the target branch; on a push to the branch itself, what was pushed. An invalid one has no say."""
    if head.policy_sha == head.subject.sha:
        return project
    if head.policy_sha is None:
        return None
    try:
        return read_project(head.address, head.policy_sha, world)
    except ProjectFileError:
        log.warning("policy_invalid", repository=head.repository.key, branch=head.policy_branch, sha=head.policy_sha)
        return None


def supersede(subject: Subject, world: World, *, spared: Collection[str] = ()) -> list[Cancel]:
    """A new head takes the place of the older heads' runs, queued and running, but for those of the spared models."""
    return [
        Cancel(run.id, by=MACHINE, superseded_by=subject.sha)
        for run in active_runs(subject, world)
        if run.sha != subject.sha and run.model not in spared
    ]


def active_runs(subject: Subject, world: World) -> list[Run]:
    """Of the change, or of the branch itself, at whatever commit."""
    return world.store.runs(
        repository=subject.repository,
        number=subject.number,
        branch=subject.branch if subject.number is None else None,
        active=True,
        limit=MOST_ACTIVE,
    )


def _current(run: Run, order: Order, world: World) -> Run:
    """A head that comes back after it was superseded, or after something else ran there, gets a run of its own; one
    that is merely seen twice keeps its run."""
    attempt = 1
    while (known := world.store.run(run.id)) is not None and (_was_ended_early(known) or not _is_newest(known, world)):
        attempt += 1
        run = order_run(replace(order, trigger=f"{order.trigger}:{attempt}"), world)
    return run


def _was_ended_early(run: Run) -> bool:
    return run.phase in (Phase.CANCELED, Phase.SUPERSEDED) or run.cancel_requested_by is not None


def _is_newest(run: Run, world: World) -> bool:
    """Whether it is the one that is shown of its model at its head."""
    runs = world.store.runs(
        repository=run.repository,
        number=run.number,
        branch=run.branch if run.number is None else None,
        model=run.model,
        limit=MOST_ACTIVE,
    )
    return next((other.id for other in runs if other.sha == run.sha), run.id) == run.id


def show_plan(head: Head, plan: Plan, runs: list[Run], writes: Writes) -> None:
    notice: Notice | None = None
    if not runs:
        notice = nothing_to_run(head.subject.sha, plan)
    writes.show(head.subject, notice)
