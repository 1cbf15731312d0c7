"""Order the training of a version once more: its commit, its data, its params."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.change import Repository
from bot.domain.errors import UserError
from bot.domain.pipeline import TRAIN
from bot.domain.project import Environment, Model, Split
from bot.domain.run import Run
from bot.domain.version import VersionLock, parse_number
from bot.domain.words import listed, quoted
from bot.ports.registry import Record, Registry
from bot.usecases.orders import Order, order_run
from bot.usecases.projects import read_project
from bot.usecases.world import World


def locked_version(repository: Repository, name: str, registry: Registry) -> VersionLock:
    """What the tag `churn@v1.2.0` holds. Raises UserError."""
    model, _, text = name.rpartition("@")
    number = parse_number(text)
    if not model or number is None:
        raise UserError(f"{quoted(name)} is no version.", "Write it as its tag is named, such as `churn@v1.2.0`.")
    record = registry.read(repository)
    found = next((one for one in record.versions if (one.model, one.number) == (model, number)), None)
    if found is None:
        raise UserError(f"There is no tag {quoted(f'{model}@{number}')} here.", _what_there_is(model, record))
    if found.lock is None:
        raise UserError(f"{quoted(name)} can not be trained again. {found.problem}")
    return found.lock


def _what_there_is(model: str, record: Record) -> str:
    there = [f"{one.model}@{one.number}" for one in record.versions if one.model == model]
    fetch = "`git fetch --tags` brings those of the remote."
    return f"{fetch} There are {listed(there[::-1])}." if there else fetch


def order_reproduction(repository: Repository, lock: VersionLock, world: World, *, by: str, trigger: str) -> Run:
    """A run of no change and of no real branch, so that nothing is ever held against it. Raises UserError."""
    world.git.fetch(repository.clone_address, [lock.sha])
    project = read_project(repository.clone_address, lock.sha, world)
    model = project.model(lock.model) if project is not None else None
    if model is None:
        raise UserError(f"There is no model {quoted(lock.model)} at {quoted(lock.sha[:10])}.")
    order = Order(
        repository=repository,
        model=_as_locked(model, lock),
        pipeline=TRAIN,
        sha=lock.sha,
        branch=lock.tag,
        number=None,
        base_branch=lock.tag,
        params=lock.params,
        trigger=trigger,
        requested_by=by,
        data_rev=lock.data_sha,
        force=True,
    )
    return order_run(order, world)


def _as_locked(model: Model, lock: VersionLock) -> Model:
    """Commands are those of the commit. Gates are not asked: it is about being equal, not about being good."""
    return replace(model, gates=(), split=_split(lock, model), environment=_environment(lock, model))


def _split(lock: VersionLock, model: Model) -> Split | None:
    test, seed = lock.split.get("test"), lock.split.get("seed")
    if isinstance(test, int | float) and isinstance(seed, int):
        return Split(test=float(test), seed=seed)
    return model.split if lock.split else None


def _environment(lock: VersionLock, model: Model) -> Environment:
    names = ("python", "requirements", "image")
    given = {name: value for name in names if isinstance(value := lock.environment.get(name), str)}
    return replace(model.environment, **given)
