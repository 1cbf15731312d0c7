"""Somebody asks for a deployment, or for an earlier version again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.change import Change, ChangeState, Repository
from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase, deployment_id
from bot.domain.errors import UserError
from bot.domain.nearest import nearest
from bot.domain.project import DeployEnvironment, Project, Resources
from bot.domain.run import Run
from bot.domain.version import Version, parse_number
from bot.domain.words import listed, quoted
from bot.usecases.deployments.incumbents import former_version, registered, serving_version
from bot.usecases.deployments.looks import Candidate, NotYet, look_at, rule_of, served_by, with_candidate
from bot.usecases.deployments.targets import Place, deployable, environment_of, newest_run, place_of, project_at
from bot.usecases.ordering import named_model, order_training
from bot.usecases.world import World

# of a model that no project holds any more: only what has served there may come again
GONE_RULE = DeployEnvironment(approvals=1)


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants. `change` is where they said it; None for a branch, which is the default one then."""

    repository: Repository
    change: Change | None
    environment: str
    model: str | None
    by: str
    trigger: str
    is_major: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """The new deployment, or the one that is on its way already; `runs` are to be started for it."""

    deployment: Deployment
    is_new: bool
    superseded: tuple[Deployment, ...] = ()
    runs: tuple[Run, ...] = ()


def ask_deployment(ask: Ask, world: World) -> list[Asked]:
    """For the named model, else for each that has the environment and was run here. Raises UserError."""
    _check_serving(world)
    place = place_of(ask.repository, ask.change, world)
    project, policy = project_at(place, world)
    names = (
        [named_model(project, ask.model).name]
        if ask.model
        else _models_with(place, project, policy, ask.environment, world)
    )
    return [_ask_one(ask, place, name, world) for name in names]


def _ask_one(ask: Ask, place: Place, model: str, world: World) -> Asked:
    found = look_at(place, model, ask.environment, world)
    runs: tuple[Run, ...] = ()
    if isinstance(found, NotYet) and found.run is None:
        runs = tuple(_order(ask, place, model, world))
    deployment = _deployment(ask, place, model, found, world)
    others = [
        other
        for other in world.store.deployments(
            repository=ask.repository.key, model=model, environment=ask.environment, active=True
        )
        if other.number == place.number and other.id != deployment.id
    ]
    same = next((other for other in others if _is_same(other, deployment)), None)
    if same is not None:
        return Asked(same, is_new=False)
    waiting = tuple(other for other in others if not other.phase.holds_turn)
    return Asked(deployment, is_new=True, superseded=waiting, runs=runs)


def _is_same(known: Deployment, asked: Deployment) -> bool:
    """A waiting one follows its change by itself, so asking again asks for nothing else."""
    return (
        known.kind is asked.kind
        and known.cancel_requested_by is None
        and known.is_major == asked.is_major
        and (known.sha, known.digest) == (asked.sha, asked.digest)
    )


def _deployment(ask: Ask, place: Place, model: str, found: Candidate | NotYet, world: World) -> Deployment:
    asked = replace(
        new_deployment(ask, place, model, DeploymentKind.DEPLOY, world),
        phase=DeploymentPhase.WAITING_FOR_RUN,
        rule=found.rule,
        is_major=ask.is_major,
        thing_at=world.clock(),
    )
    if isinstance(found, NotYet):
        return replace(asked, asked_sha=asked.sha)
    looked_at = with_candidate(asked, found)
    looked_at = replace(looked_at, asked_sha=looked_at.sha)
    is_free = looked_at.rule.approvals == 0
    phase = DeploymentPhase.WAITING_FOR_TURN if is_free else DeploymentPhase.WAITING_FOR_APPROVAL
    return replace(looked_at, phase=phase)


def _order(ask: Ask, place: Place, model: str, world: World) -> list[Run]:
    """What is not trained yet is trained first."""
    change = place.change
    if change is None or change.state is not ChangeState.OPEN:
        raise UserError(
            f"{quoted(model)} has not been trained on {quoted(place.branch)} yet.", "Push a commit that touches it."
        )
    return order_training(
        ask.repository,
        change,
        world,
        model_name=model,
        given_params={},
        data_rev="",
        force=False,
        trigger=ask.trigger,
        requested_by=ask.by,
    )


def ask_rollback(ask: Ask, version_text: str | None, world: World) -> Asked:
    """The version that served before, or the one named, at once. Raises UserError."""
    _check_serving(world)
    place = place_of(ask.repository, ask.change, world)
    project, policy = project_at(place, world)
    name = _named_or_served(project, ask, world)
    # a change that takes the model away is held to the policy all the same
    model = project.model(name) or (policy.model(name) if policy is not None else None)
    rule, resources = GONE_RULE, Resources()
    if model is not None:
        deploy = served_by(place, deployable(place, model, policy), world)
        rule, resources = rule_of(place, deploy, name, ask.environment, world), deploy.resources
    version = _version_back(ask, name, version_text, rule, world)
    deployment = new_deployment(ask, place, name, DeploymentKind.ROLLBACK, world)
    return Asked(of_version(deployment, version, resources), is_new=True)


def new_deployment(ask: Ask, place: Place, model: str, kind: DeploymentKind, world: World) -> Deployment:
    """What is true of every one that is asked for; without a run or a version yet."""
    return Deployment(
        id=deployment_id(ask.repository.key, model, ask.environment, ask.trigger),
        kind=kind,
        repository=ask.repository.key,
        model=model,
        environment=ask.environment,
        number=place.number,
        branch=place.branch if ask.change is None else ask.change.source_branch,
        sha=place.head.subject.sha if ask.change is None else ask.change.head_sha,
        trigger=ask.trigger,
        requested_by=ask.by,
        requested_at=world.clock(),
        phase=DeploymentPhase.WAITING_FOR_TURN,
    )


def of_version(deployment: Deployment, version: Version, resources: Resources) -> Deployment:
    """One that brings a version which is registered already."""
    return replace(
        deployment,
        run_id=version.lock.run_id,
        version_id=version.id,
        version=str(version.lock.number),
        digest=version.lock.model_digest,
        memory_bytes=resources.memory_bytes,
        cpu=resources.cpu,
    )


def _version_back(ask: Ask, model: str, version_text: str | None, rule: DeployEnvironment, world: World) -> Version:
    """What never served in an environment that needs approvals can not come there by a rollback, which needs none."""
    key = ask.repository.key
    now = serving_version(key, model, ask.environment, world)
    versions = registered(key, model, world)
    if version_text is None:
        former = former_version(key, model, ask.environment, world)
        if former is None:
            raise UserError(
                f"No other version of {quoted(model)} has served in {quoted(ask.environment)} before.",
                _versions_to_name(ask.environment, _possible(versions, rule, ask.environment, world)),
            )
        return former
    number = parse_number(version_text)
    found = next((version for version in versions if version.lock.number == number), None)
    if found is None:
        raise UserError(
            f"{quoted(model)} has no version {quoted(version_text)}.",
            _versions_to_name(ask.environment, _possible(versions, rule, ask.environment, world)),
        )
    if rule.approvals and not _has_served(found, ask.environment, world):
        raise UserError(
            f"{quoted(str(found.lock.number))} has never served in {quoted(ask.environment)}, which needs approvals.",
            f"Ask for them on the change that brings it: `/deploy {ask.environment} {model}`.",
        )
    if now is not None and now.id == found.id:
        raise UserError(f"{quoted(str(found.lock.number))} serves in {quoted(ask.environment)} already.")
    return found


def _possible(versions: Sequence[Version], rule: DeployEnvironment, environment: str, world: World) -> list[Version]:
    """Those that a rollback may bring, but for the one that serves now."""
    return [one for one in versions if not rule.approvals or _has_served(one, environment, world)]


def _has_served(version: Version, environment: str, world: World) -> bool:
    found = world.store.assignments(repository=version.repository, model=version.lock.model, environment=environment)
    return any(one.deployment_id and one.commit_sha == version.commit_sha for one in found)


def _versions_to_name(environment: str, versions: Sequence[Version]) -> str:
    if not versions:
        return "There is none to go back to yet."
    names = [str(version.lock.number) for version in versions]
    return f"Name one: `/rollback {environment} {names[0]}`. There are {listed(names)}."


def _named_or_served(project: Project, ask: Ask, world: World) -> str:
    if ask.model is None:
        return _only_served(ask, world)
    has_served = world.store.assignments(
        repository=ask.repository.key, model=ask.model, environment=ask.environment, limit=1
    )
    return ask.model if has_served else named_model(project, ask.model).name


def _only_served(ask: Ask, world: World) -> str:
    assignments = world.store.assignments(repository=ask.repository.key, environment=ask.environment)
    names = sorted({assignment.model for assignment in assignments if assignment.deployment_id})
    if len(names) == 1:
        return names[0]
    if not names:
        raise UserError(f"Nothing serves in {quoted(ask.environment)} here.", "Deploy something first.")
    raise UserError(
        f"Several models serve in {quoted(ask.environment)}: {listed(names)}.",
        f"Name one: `/rollback {ask.environment} {names[0]}`.",
    )


def _models_with(place: Place, project: Project, policy: Project | None, environment: str, world: World) -> list[str]:
    """Those that were run here and have the environment; of a project with one such model, that one."""
    having, reasons = [], []
    for model in project.models:
        try:
            environment_of(deployable(place, model, policy), environment, model.name)
            having.append(model)
        except UserError as error:
            reasons.append(error)
    if not having:
        raise reasons[0] if len(reasons) == 1 else _no_such_environment(project, environment)
    run_here = [model.name for model in having if newest_run(place, model.name, world) is not None]
    return run_here or [model.name for model in having]


def _no_such_environment(project: Project, environment: str) -> UserError:
    names = sorted({name for model in project.models if model.deploy for name in model.deploy.environments})
    if not names:
        return UserError("No model here says how it is deployed.", "Add `deploy:` to a model in `mlops.yaml`.")
    meant = nearest(environment, names)
    hint = f"Did you mean {quoted(meant)}? " if meant else ""
    return UserError(f"No model here has an environment {quoted(environment)}.", f"{hint}There are {listed(names)}.")


def _check_serving(world: World) -> None:
    if world.serving is None or world.registry is None:
        raise UserError("Nothing is deployed from here.", "Start the service with `mlops-bot serve`.")
