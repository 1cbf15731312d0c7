"""What the pipeline `deploy` asks of the bot, and what serves by the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from bot.domain.deployment import WARM_FOR, Deployment, DeploymentPhase
from bot.domain.errors import TransientError, UserError
from bot.domain.serving import DesiredService, ObservedRevision, ServedRevision, Share, Traffic
from bot.domain.version import Assignment, Version
from bot.ports.registry import TagTaken
from bot.ports.serving import Serving
from bot.usecases.deployments.incumbents import serving_assignment, serving_version, version_at
from bot.usecases.world import World

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Served:
    """How the version of a deployment stands in its place."""

    observed: ObservedRevision
    percent: int
    traffic: Traffic


def start_beside(run_id: str, world: World) -> Served:
    """Let serving start the version beside what serves, with no requests. Raises UserError when it is not wanted."""
    deployment, version = _wanted(run_id, world)
    with world.turn_of(_place(deployment)):
        shares = _shares(deployment, world)
        revision = _revision(version, deployment, world)
        if all(share.revision.id != revision.id for share in shares):
            _apply(deployment, (*shares, Share(revision, percent=0)), world)
    return _served(deployment, version, world)


def give_share(run_id: str, percent: int, world: World) -> Served:
    """All requests go to it only once its assignment is in git. Raises UserError when it is not wanted."""
    deployment, version = _wanted(run_id, world)
    if percent == 100 and not is_assigned(deployment, world):
        _assign(deployment, version, world)
    with world.turn_of(_place(deployment)):
        _apply(deployment, _shared(deployment, version, percent, world), world)
    return _served(deployment, version, world)


def served(run_id: str, world: World) -> Served:
    return _served(*_wanted(run_id, world), world)


def take_over(deployment: Deployment, world: World) -> None:
    """All requests to it, if that is not so yet; what served before is kept warm."""
    version = world.store.version(deployment.version_id)
    assert version is not None
    with world.turn_of(_place(deployment)):
        _apply(deployment, _shared(deployment, version, 100, world), world)


def give_back(deployment: Deployment, world: World) -> None:
    """All requests to what served before; what was started beside it is ended."""
    serving = _serving(world)
    desired = serving.desired(deployment.environment, deployment.model)
    if desired is None or desired.repository != deployment.repository or not deployment.version_id:
        return
    version = world.store.version(deployment.version_id)
    incumbent = serving_version(deployment.repository, deployment.model, deployment.environment, world)
    own = revision_id(version) if version is not None else ""
    full = revision_id(incumbent) if incumbent is not None else ""
    with world.turn_of(_place(deployment)):
        kept = [share.revision for share in desired.shares if share.revision.id != own or own == full]
        if not kept:
            serving.remove(deployment.environment, deployment.model)
            return
        _apply(deployment, tuple(Share(revision, 100 if revision.id == full else 0) for revision in kept), world)


def is_assigned(deployment: Deployment, world: World) -> str:
    """The tag of its assignment, "" while there is none."""
    found = world.store.assignments(
        repository=deployment.repository, model=deployment.model, environment=deployment.environment
    )
    return next((assignment.tag for assignment in found if assignment.deployment_id == deployment.id), "")


def heal(world: World) -> None:
    """Serving shows what the record says: what is missing is started again, what was kept warm long enough ends."""
    if world.serving is None:
        return
    for place in sorted({(one.repository, one.model, one.environment) for one in world.store.assignments()}):
        try:
            _heal_place(*place, world)
        except (TransientError, UserError) as error:
            log.warning("serving_not_healed", place=place, problem=error.problem)


def _heal_place(repository: str, model: str, environment: str, world: World) -> None:
    assignment = serving_assignment(repository, model, environment, world)
    version = version_at(repository, model, assignment.commit_sha, world) if assignment is not None else None
    active = world.store.deployments(repository=repository, model=model, environment=environment, active=True)
    if assignment is None or version is None or any(one.phase.holds_turn for one in active):
        return
    desired = _serving(world).desired(environment, model)
    if desired is not None and desired.repository != repository:
        return
    with world.turn_of(f"serving:{environment}/{model}"):
        shares = desired.shares if desired is not None else ()
        live = next((share for share in shares if share.revision.id == revision_id(version)), None)
        made_by = world.store.deployment(assignment.deployment_id)
        revision = live.revision if live is not None else _revision(version, made_by, world)
        is_cold = world.clock() - assignment.at > WARM_FOR
        others = [share for share in shares if share.revision.id != revision.id and not is_cold]
        wanted = (*(Share(share.revision, 0) for share in others), Share(revision, 100))
        if wanted != shares:
            _serving(world).apply(DesiredService(repository, environment, model, wanted))
            log.info("serving_healed", environment=environment, model=model, version=str(version.lock.number))


def revision_id(version: Version) -> str:
    return f"{version.lock.number}-{version.lock.model_digest.removeprefix('sha256:')[:12]}"


def _wanted(run_id: str, world: World) -> tuple[Deployment, Version]:
    deployment = world.store.deployment_of_run(run_id)
    version = world.store.version(deployment.version_id) if deployment is not None else None
    if deployment is None or version is None or deployment.phase is not DeploymentPhase.DEPLOYING:
        raise UserError("This deployment is not on its way any more.")
    if deployment.cancel_requested_by is not None:
        raise UserError(f"This deployment was given up by {deployment.cancel_requested_by}.")
    desired = _serving(world).desired(deployment.environment, deployment.model)
    if desired is not None and desired.repository != deployment.repository:
        raise UserError(
            f"`{deployment.environment}/{deployment.model}` is taken: a model of this name of "
            f"{desired.repository} serves there.",
            "Rename one of the two models.",
        )
    return deployment, version


def _assign(deployment: Deployment, version: Version, world: World) -> None:
    repository = world.store.repository(deployment.repository)
    if repository is None or world.registry is None:
        raise UserError("The repository is no longer watched.")
    record = world.registry.read(repository)
    there = [
        one for one in record.assignments if (one.model, one.environment) == (deployment.model, deployment.environment)
    ]
    own = next((one for one in there if one.deployment_id == deployment.id), None)
    if own is None:
        try:
            own = world.registry.assign(
                repository,
                model=deployment.model,
                environment=deployment.environment,
                serial=record.next_serial(deployment.model),
                commit_sha=version.commit_sha,
                deployment_id=deployment.id,
                by=deployment.requested_by,
                at=world.clock().replace(microsecond=0),
            )
        except TagTaken as error:
            raise TransientError(str(error), retry_after_s=0.2) from error
    _keep([own], world)


def _keep(assignments: Sequence[Assignment], world: World) -> None:
    with world.store.transaction() as tx:
        for assignment in assignments:
            tx.save_assignment(assignment)


def _serving(world: World) -> Serving:
    if world.serving is None:
        raise UserError("Nothing serves models here.")
    return world.serving


def _place(deployment: Deployment) -> str:
    return f"serving:{deployment.environment}/{deployment.model}"


def _shares(deployment: Deployment, world: World) -> tuple[Share, ...]:
    desired = _serving(world).desired(deployment.environment, deployment.model)
    return desired.shares if desired is not None else ()


def _shared(deployment: Deployment, version: Version, percent: int, world: World) -> tuple[Share, ...]:
    """The candidate gets its share, what served so far the rest; at 100 that is kept warm, and nothing else."""
    shares = _shares(deployment, world)
    own = revision_id(version)
    others = [share for share in shares if share.percent and share.revision.id != own]
    serving_now = others[-1].revision if others else None
    candidate = next((share.revision for share in shares if share.revision.id == own), None)
    revision = candidate or _revision(version, deployment, world)
    if serving_now is None:
        warm = [Share(share.revision, 0) for share in shares if share.revision.id != own]
        return (*warm, Share(revision, 100))
    return (Share(serving_now, 100 - percent), Share(revision, percent))


def _apply(deployment: Deployment, shares: tuple[Share, ...], world: World) -> None:
    if shares != _shares(deployment, world):
        _serving(world).apply(DesiredService(deployment.repository, deployment.environment, deployment.model, shares))


def _revision(version: Version, deployment: Deployment | None, world: World) -> ServedRevision:
    lock = version.lock
    repository = world.store.repository(version.repository)
    assert repository is not None
    return ServedRevision(
        id=revision_id(version),
        version=str(lock.number),
        sha=lock.sha,
        data_sha=lock.data_sha,
        digest=lock.model_digest,
        runtime=lock.serve,
        storage=f"{lock.artifacts.rstrip('/')}/model",
        code=repository.clone_address,
        model_path=lock.model_path,
        environment=lock.environment,
        memory_bytes=deployment.memory_bytes if deployment is not None else 0,
        cpu=deployment.cpu if deployment is not None else 0.0,
    )


def _served(deployment: Deployment, version: Version, world: World) -> Served:
    serving, own = _serving(world), revision_id(version)
    observed = serving.observe(deployment.environment, deployment.model).revision(own)
    percent = next((share.percent for share in _shares(deployment, world) if share.revision.id == own), 0)
    return Served(observed, percent, serving.traffic(deployment.environment, deployment.model, own))
