"""What the operator asks for without a change to say it on: a deployment, a rollback, the index made anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.change import Repository
from bot.domain.deployment import Deployment, DeploymentKind
from bot.domain.errors import UserError
from bot.domain.feedback import LedgerEntry
from bot.domain.gate import Verdict
from bot.domain.nearest import nearest
from bot.domain.project import DeployEnvironment
from bot.domain.version import Version, parse_number
from bot.domain.words import listed, quoted
from bot.usecases.deployments.commands import take
from bot.usecases.deployments.incumbents import registered, serving_version
from bot.usecases.deployments.looks import GatesMissed, rule_of, served_by
from bot.usecases.deployments.registry_index import index_registry, unreadable
from bot.usecases.deployments.requests import Ask, Asked, ask_deployment, ask_rollback, new_deployment, of_version
from bot.usecases.deployments.targets import deployable, place_of, project_at
from bot.usecases.ordering import named_model
from bot.usecases.reports import judgement_now
from bot.usecases.world import World
from bot.usecases.writes import Writes, apply


@dataclass(frozen=True, slots=True)
class Wish:
    """`model` "" is the only one that it can mean; `version` "" is what the default branch holds, or for a rollback
    what served before. `source` is unique for what was asked."""

    repository: str
    environment: str
    model: str = ""
    version: str = ""
    by: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the tags of one repository say; `problem` is why they could not be read, "" where they could."""

    repository: str
    versions: int
    assignments: int
    unreadable: tuple[str, ...] = ()
    problem: str = ""


def deploy_by_operator(wish: Wish, world: World) -> Deployment:
    """The one that is on its way now, which may have been before. Raises UserError."""
    ask = _ask(wish, world)
    if wish.version:
        asked = _ask_version(ask, wish.version, world)
    else:
        found = ask_deployment(ask, world)
        if len(found) > 1:
            names = listed([one.deployment.model for one in found])
            raise UserError(f"Several models have {quoted(wish.environment)}.", f"Name one: {names}.")
        (asked,) = found
    _check_approvals(asked.deployment.rule, wish.environment)
    return _accept(asked, wish, world)


def rollback_by_operator(wish: Wish, world: World) -> Deployment:
    """Needs no approval: the version has served, or was registered, before. Raises UserError."""
    return _accept(ask_rollback(_ask(wish, world), wish.version or None, world), wish, world)


def rebuild(world: World) -> list[Rebuilt]:
    """Make the store's index of versions and assignments anew, from the tags of all repositories."""
    return [_rebuild(repository, world) for repository in world.store.repositories()]


def _rebuild(repository: Repository, world: World) -> Rebuilt:
    record = index_registry(repository, world)
    if record is None:
        return Rebuilt(repository.key, 0, 0, problem="its tags can not be read now; the service's log tells why")
    odd = unreadable(record)
    return Rebuilt(
        repository.key,
        versions=len(record.versions) - len(odd),
        assignments=len(record.assignments),
        unreadable=tuple(f"{tagged.model}@{tagged.number}: {tagged.problem}" for tagged in odd),
    )


def _ask(wish: Wish, world: World) -> Ask:
    repository = world.store.repository(wish.repository)
    if repository is None:
        names = [one.key for one in world.store.repositories()]
        meant = nearest(wish.repository, names)
        hint = f"Did you mean {quoted(meant)}? " if meant else ""
        raise UserError(f"No repository {quoted(wish.repository)} is watched.", f"{hint}There are {listed(names)}.")
    return Ask(
        repository=repository,
        change=None,
        environment=wish.environment,
        model=wish.model or None,
        by=wish.by,
        trigger=wish.source,
    )


def _ask_version(ask: Ask, version_text: str, world: World) -> Asked:
    """A version that is registered, as it is: nothing is trained or measured again."""
    if world.serving is None or world.registry is None or ask.model is None:
        raise UserError("Nothing is deployed from here." if ask.model else "Name the model of the version.")
    place = place_of(ask.repository, None, world)
    project, policy = project_at(place, world)
    model = named_model(project, ask.model)
    deploy = served_by(place, deployable(place, model, policy), world)
    rule = rule_of(place, deploy, model.name, ask.environment, world)
    version = _named(ask, version_text, world)
    _check_gates(version, world)
    _check_merged(ask, rule, version, place.head.subject.sha, world)
    asked = replace(
        new_deployment(ask, place, model.name, DeploymentKind.DEPLOY, world), sha=version.lock.sha, rule=rule
    )
    deployment = of_version(asked, version, deploy.resources)
    return _or_known(deployment, world)


def _check_gates(version: Version, world: World) -> None:
    """Against what serves now, as for any other deployment; a run that is forgotten can not be judged anew."""
    run = world.store.run(version.lock.run_id)
    judgement = judgement_now(run, world) if run is not None and run.result is not None else None
    if run is not None and judgement is not None and judgement.verdict is Verdict.MISSED:
        raise GatesMissed(run, judgement)


def _or_known(deployment: Deployment, world: World) -> Asked:
    active = world.store.deployments(
        repository=deployment.repository, model=deployment.model, environment=deployment.environment, active=True
    )
    same = next((one for one in active if one.version_id == deployment.version_id and one.number is None), None)
    return Asked(deployment, is_new=True) if same is None else Asked(same, is_new=False)


def _named(ask: Ask, version_text: str, world: World) -> Version:
    key, model = ask.repository.key, ask.model or ""
    versions = registered(key, model, world)
    number = parse_number(version_text)
    found = next((version for version in versions if version.lock.number == number), None)
    if found is None:
        names = [str(version.lock.number) for version in versions]
        there = f"There are {listed(names)}." if names else "Nothing was registered yet."
        raise UserError(f"{quoted(model)} has no version {quoted(version_text)}.", there)
    now = serving_version(key, model, ask.environment, world)
    if now is not None and now.id == found.id:
        raise UserError(f"{quoted(str(found.lock.number))} serves in {quoted(ask.environment)} already.")
    return found


def _check_merged(ask: Ask, rule: DeployEnvironment, version: Version, head: str, world: World) -> None:
    if not rule.only_merged:
        return
    address = ask.repository.clone_address
    world.git.fetch(address, [version.lock.sha, head])
    if world.git.merge_base(address, version.lock.sha, head) != version.lock.sha:
        branch = quoted(ask.repository.default_branch)
        raise UserError(
            f"{quoted(str(version.lock.number))} was made of a commit that is not on {branch}.",
            f"{quoted(ask.environment)} takes only merged commits.",
        )


def _check_approvals(rule: DeployEnvironment, environment: str) -> None:
    if rule.approvals:
        number = "one approval" if rule.approvals == 1 else f"{rule.approvals} approvals"
        raise UserError(
            f"{quoted(environment)} needs {number}, and here is no change to give them on.",
            f"Ask on a change: `/deploy {environment}`.",
        )


def _accept(asked: Asked, wish: Wish, world: World) -> Deployment:
    writes, now = Writes(), world.clock()
    take(asked, writes, now=now)
    deployment = asked.deployment
    if asked.is_new:
        facts = {
            "model": deployment.model,
            "environment": deployment.environment,
            "version": deployment.version,
            "commit": deployment.sha,
            "digest": deployment.digest,
            "source": wish.source,
        }
        details = {name: value for name, value in facts.items() if value}
        action = f"{deployment.kind}_asked"
        writes.ledger.append(LedgerEntry(now, wish.by, action, deployment.repository, deployment.id, details))
    with world.store.transaction() as tx:
        apply(writes, tx, now=now)
    return deployment
