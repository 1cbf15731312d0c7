"""Orders that people give on a change: train, evaluate, run again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.change import Change, Repository
from bot.domain.errors import UserError
from bot.domain.nearest import nearest
from bot.domain.pipeline import EVALUATE, TRAIN
from bot.domain.plan import plan_models
from bot.domain.project import Model, Project
from bot.domain.run import Run
from bot.domain.words import listed, quoted
from bot.usecases.changes import changed_paths, head_of
from bot.usecases.heads import Head, effective_for, order_models, read_policy
from bot.usecases.orders import Order, order_run
from bot.usecases.projects import read_project
from bot.usecases.world import World


def order_training(
    repository: Repository,
    change: Change,
    world: World,
    *,
    model_name: str | None,
    given_params: Mapping[str, str],
    data_rev: str,
    force: bool,
    trigger: str,
    requested_by: str,
    every_model: bool = False,
) -> list[Run]:
    """Without a model: those that the change touches (or every one) that have the given params. Raises UserError."""
    head, project, policy = _situation(repository, change, world)
    touched = None if every_model else changed_paths(head, world)
    models = _chosen(project, policy, model_name, given_params, touched=touched)
    return order_models(
        head,
        models,
        policy,
        world,
        given_params=given_params,
        data_rev=data_rev,
        force=force,
        trigger=trigger,
        requested_by=requested_by,
    )


def order_evaluation(
    repository: Repository,
    change: Change,
    world: World,
    *,
    model_name: str | None,
    trigger: str,
    requested_by: str,
) -> list[Run]:
    """Evaluate the newest trained model of the change, else that of its target branch, with the head's code."""
    head, project, policy = _situation(repository, change, world)
    trained = {
        model.name: run
        for model in _chosen(project, policy, model_name, {}, touched=None)
        if (run := _newest_trained(change, model.name, world)) is not None
    }
    if not trained:
        raise UserError("There is no trained model to evaluate.", "Train it first: `/train`.")
    return [
        _evaluation(head, project, policy, run, world, trigger=trigger, requested_by=requested_by)
        for run in trained.values()
    ]


def order_again(
    repository: Repository, change: Change, run: Run, world: World, *, trigger: str, requested_by: str
) -> Run:
    """The same order once more, at the change's head; nothing is reused."""
    head, project, policy = _situation(repository, change, world)
    if run.pipeline == EVALUATE:
        trained = _newest_trained(change, run.model, world)
        if trained is None:
            raise UserError(f"There is no trained {quoted(run.model)} to evaluate.", "Train it first: `/train`.")
        return _evaluation(
            head, project, policy, trained, world, trigger=trigger, requested_by=requested_by, force=True
        )
    model = named_model(project, run.model)
    effective, notes = effective_for(head, model, policy)
    order = Order(
        repository=repository,
        model=effective,
        pipeline=TRAIN,
        sha=change.head_sha,
        branch=change.source_branch,
        number=change.number,
        base_branch=head.policy_branch,
        params=run.params,
        trigger=trigger,
        requested_by=requested_by,
        notes=notes,
        data_rev=str(run.arguments.get("data_sha") or ""),
        force=True,
    )
    return order_run(order, world)


def _situation(repository: Repository, change: Change, world: World) -> tuple[Head, Project, Project | None]:
    head = head_of(repository, change, world)
    world.git.fetch(head.address, [sha for sha in (change.head_sha, head.policy_sha) if sha is not None])
    project = read_project(head.address, change.head_sha, world)
    if project is None:
        raise UserError("This change has no `mlops.yaml`.", "`mlops-bot init` writes one.")
    return head, project, read_policy(head, project, world)


def _chosen(
    project: Project,
    policy: Project | None,
    model_name: str | None,
    given_params: Mapping[str, str],
    *,
    touched: Sequence[str] | None,
) -> Sequence[Model]:
    """`touched` are the changed paths; None means all."""
    if model_name is not None:
        return [named_model(project, model_name)]
    plans = plan_models(project, changed_paths=touched, base=policy)
    models = [plan.model for plan in plans if plan.runs] or list(project.models)
    if not given_params:
        return models
    fitting = [model for model in models if set(given_params) <= set(model.params)]
    fitting = fitting or [model for model in project.models if set(given_params) <= set(model.params)]
    return fitting or models[:1]  # which then says what is wrong with the params


def named_model(project: Project, name: str) -> Model:
    """Raises UserError with the nearest name."""
    model = project.model(name)
    if model is not None:
        return model
    names = [model.name for model in project.models]
    meant = nearest(name, names)
    hint = f"Did you mean {quoted(meant)}? " if meant else ""
    raise UserError(f"There is no model {quoted(name)}.", f"{hint}The models here are {listed(names)}.")


def _newest_trained(change: Change, model: str, world: World) -> Run | None:
    """Newest on the change itself, else on its target branch; runs of `evaluate` made no model."""
    runs = world.store.runs(repository=change.repository, number=change.number, model=model, limit=200)
    own = next((run for run in runs if run.pipeline == TRAIN and run.result and run.result.model_digest), None)
    if own is not None:
        return own
    branch_runs = world.store.runs(repository=change.repository, branch=change.target_branch, model=model, limit=200)
    return next((run for run in branch_runs if run.pipeline == TRAIN and run.result and run.result.model_digest), None)


def _evaluation(
    head: Head,
    project: Project,
    policy: Project | None,
    trained: Run,
    world: World,
    *,
    trigger: str,
    requested_by: str,
    force: bool = False,
) -> Run:
    model = named_model(project, trained.model)
    effective, notes = effective_for(head, model, policy)
    order = Order(
        repository=head.repository,
        model=effective,
        pipeline=EVALUATE,
        sha=head.subject.sha,
        branch=head.subject.branch,
        number=head.subject.number,
        base_branch=head.policy_branch,
        params=trained.params,
        trigger=trigger,
        requested_by=requested_by,
        notes=notes,
        force=force,
        trained=trained,
    )
    return order_run(order, world)
