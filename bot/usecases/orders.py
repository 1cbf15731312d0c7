"""Make a run from an order: everything is pinned to shas, and equal work is found again by its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from bot.domain.change import Repository
from bot.domain.errors import UserError
from bot.domain.pipeline import TRAIN
from bot.domain.plan import PROJECT_FILE, watched_paths
from bot.domain.project import JsonValue, Model, Step
from bot.domain.result import Failure, FailureKind, Result
from bot.domain.run import Phase, Run, run_id
from bot.domain.run_key import canonical_json, run_key
from bot.domain.server_rules import model_by_server, refusal_of_run
from bot.usecases.addresses import data_address
from bot.usecases.results import failed_result
from bot.usecases.world import World


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for. `model` is the effective one: gates and secrets as policy has them. `trained` is the run
    whose model an `evaluate` reads. `base_branch` holds the incumbent: a change's target, or the branch itself."""

    repository: Repository
    model: Model
    pipeline: str
    sha: str
    branch: str
    number: int | None
    base_branch: str
    params: Mapping[str, JsonValue]
    trigger: str
    requested_by: str
    notes: tuple[str, ...] = ()
    data_rev: str = ""
    force: bool = False
    trained: Run | None = None


@dataclass(frozen=True, slots=True)
class PinnedData:
    address: str
    sha: str
    path: str


def order_run(order: Order, world: World) -> Run:
    """A run that is queued; or reused, when an equal one has succeeded; or failed, when its data can not be pinned or
    the server's policy does not allow it."""
    policy = world.policy_of(order.repository.key)
    refusal = refusal_of_run(order.model, policy, engine=world.engine.name)
    model, notes = model_by_server(order.model, policy, repository=order.repository.key)
    order = replace(order, model=model, notes=(*order.notes, *notes))
    try:
        data = _pin_data(order, world)
    except UserError as error:
        unpinned = _run(order, PinnedData("", "", ""), world, unpinned=f"{order.data_rev}\n{order.model.data}")
        asked_for = {**unpinned.arguments, "data_sha": order.data_rev}  # what a retry has to ask for again
        unpinned = replace(unpinned, arguments=asked_for)
        failure = Failure("fetch", FailureKind.DATA, error.problem, error.fix)
        return _ended(unpinned, Phase.FAILED, result=failed_result(unpinned, failure), now=world.clock())
    run = _run(order, data, world)
    if refusal is not None:
        failure = Failure(order.pipeline, FailureKind.REFUSED, refusal.problem, refusal.fix)
        return _ended(run, Phase.FAILED, result=failed_result(run, failure), now=world.clock())
    earlier = None if order.force else reusable_run(run.key, world)
    if earlier is None:
        return run
    incumbent = world.store.newest_result(run.repository, branch=order.base_branch, model=run.model)
    reused = replace(run, reused_run=earlier.id, base_run=incumbent.id if incumbent is not None else None)
    return _ended(reused, Phase.REUSED, result=earlier.result, now=world.clock())


def reusable_run(key: str, world: World) -> Run | None:
    """The newest equal run that succeeded, as long as what it left is still there."""
    earlier = world.store.succeeded_run(key)
    if earlier is None or world.artifacts.read(earlier.id, "result.json", limit_bytes=1) is None:
        return None
    return earlier


def _ended(run: Run, phase: Phase, *, result: Result | None, now: datetime) -> Run:
    return replace(run, phase=phase, result=result, ended_at=now)


def _pin_data(order: Order, world: World) -> PinnedData:
    data = order.model.data
    if data is None:
        return PinnedData("", "", "")
    own_address = order.repository.clone_address
    is_relative = data.repo.startswith(("./", "../"))
    address = data_address(
        data.repo, order.repository.origin if is_relative and order.repository.origin else own_address
    )
    _check_owner(address, order, world)
    rev = order.data_rev or data.rev
    if address == own_address and not rev:
        return PinnedData(address, order.sha, data.path)
    return PinnedData(address, world.git.resolve(address, rev or "HEAD"), data.path)


def _check_owner(address: str, order: Order, world: World) -> None:
    """The bot's own access must not show one owner's private data to another's models. Raises UserError."""
    keys = [forge.repository_of(address) for forge in world.forges.values()]
    key = next((key for key in keys if key is not None), None)
    if key is not None and key.rpartition("/")[0].casefold() != order.repository.key.rpartition("/")[0].casefold():
        raise UserError(
            f"The data repository `{key.partition('/')[2]}` belongs to another owner than this model.",
            "Keep data and models under one owner, or give the data a remote that the runs can read themselves.",
        )


def _run(order: Order, data: PinnedData, world: World, *, unpinned: str = "") -> Run:
    model = order.model
    key = _key(order, data, world, unpinned)
    identity = run_id(run_key=key, trigger=order.trigger)
    return Run(
        id=identity,
        key=key,
        trigger=order.trigger,
        repository=order.repository.key,
        number=order.number,
        branch=order.branch,
        model=model.name,
        pipeline=order.pipeline,
        sha=order.sha,
        requested_by=order.requested_by,
        requested_at=world.clock(),
        phase=Phase.QUEUED,
        params=order.params,
        arguments=_arguments(order, data, identity, key, world),
        gates=tuple(gate.text for gate in model.gates),
        notes=order.notes,
        serve=model.deploy.serve if model.deploy is not None else "",
        force=order.force,
    )


def _arguments(order: Order, data: PinnedData, identity: str, key: str, world: World) -> dict[str, JsonValue]:
    model = order.model
    arguments: dict[str, JsonValue] = {
        "run_id": identity,
        "run_prefix": world.artifacts.prefix(identity),
        "callback_url": world.callback_links.callback(identity) if world.callback_links is not None else "",
        "repository": order.repository.key,
        "clone_address": order.repository.clone_address,
        "sha": order.sha,
        "model": model.name,
        "model_path": model.path,
        "data_address": data.address,
        "data_sha": data.sha,
        "data_path": data.path,
        "params": dict(order.params),
        "split": {} if model.split is None else asdict(model.split),
        "environment": asdict(model.environment),
        "env": dict(model.env),
        "secrets": list(model.secrets),
        "evaluate": _step(model.evaluate),
        "lineage": {"run_key": key, "pipeline_version": world.pipeline_versions[order.pipeline]},
    }
    if order.pipeline == TRAIN:
        job = model.train.sagemaker
        return arguments | {"train": _step(model.train) | ({} if job is None else {"sagemaker": asdict(job)})}
    assert order.trained is not None
    assert order.trained.result is not None
    source = order.trained.reused_run or order.trained.id
    return arguments | {
        "model_prefix": world.artifacts.prefix(source),
        "model_digest": order.trained.result.model_digest,
    }


def _step(step: Step | None) -> dict[str, JsonValue]:
    if step is None:
        return {}
    return {
        "run": step.run,
        "timeout_s": step.timeout_s,
        "memory_bytes": step.resources.memory_bytes,
        "cpu": step.resources.cpu,
        "gpu": step.resources.gpu,
    }


def _tree_digest(order: Order, world: World) -> str:
    """Without `mlops.yaml`, of which the model's own entry is hashed field by field, unless the model watches it."""
    without = () if PROJECT_FILE in order.model.watch else (PROJECT_FILE,)
    paths = watched_paths(order.model)
    return world.git.tree_digest(order.repository.clone_address, order.sha, paths, without=without)


def _key(order: Order, data: PinnedData, world: World, unpinned: str) -> str:
    model = order.model
    commands = {"train": model.train.run, "evaluate": "" if model.evaluate is None else model.evaluate.run}
    if model.train.sagemaker is not None:  # what else its settings say decides whether a run ends, as resources do
        job = model.train.sagemaker
        commands["train on sagemaker"] = canonical_json([job.image, job.instance, job.count])
    if order.pipeline != TRAIN:
        commands = {"evaluate": commands["evaluate"]}
    is_of_this_commit = data.address == order.repository.clone_address and data.sha == order.sha
    trained = order.trained.result if order.trained is not None else None
    return run_key(
        repository=order.repository.key,
        model=model.name,
        pipeline=order.pipeline,
        pipeline_version=world.pipeline_versions[order.pipeline],
        tree_digest=_tree_digest(order, world),
        data_address=data.address,
        data_sha="" if is_of_this_commit else data.sha or unpinned,
        data_path=data.path,
        params=order.params,
        split=model.split,
        env=model.env,
        secret_names=model.secrets,
        environment=model.environment,
        commands=commands,
        model_digest="" if trained is None else trained.model_digest,
    )
