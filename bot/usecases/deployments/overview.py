"""How deployments and what serves stand, gathered for those who look: pages, programs, the report on a change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.approval import Approval, Decision
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.report_deployments import DeploymentLine
from bot.domain.report_versions import VersionFacts, facts_of_version
from bot.domain.serving import ObservedRevision, Traffic
from bot.domain.version import Assignment, Version
from bot.usecases.deployments.approvals import seen_standing
from bot.usecases.deployments.incumbents import serving_assignment, version_at
from bot.usecases.deployments.lines import deployment_line
from bot.usecases.reports import judgement_now
from bot.usecases.world import World


@dataclass(frozen=True, slots=True)
class Answering:
    """One version that answers in a place, or is kept warm there. `version` is such as `v1.3.0`."""

    version: str
    percent: int
    observed: ObservedRevision
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class ServedPlace:
    """One model in one environment, by the record, and as it is observed.

    `assignment` is the newest that the bot made, None while nothing has gone live there. `version` is what it assigns,
    None for a tag that says nothing to serve. `on_their_way` are the deployments into this place, the next one first.
    """

    repository: str
    model: str
    environment: str
    assignment: Assignment | None
    version: Version | None
    answering: tuple[Answering, ...]
    on_their_way: tuple[DeploymentLine, ...]

    @property
    def version_name(self) -> str:
        if self.version is not None:
            return str(self.version.lock.number)
        return self.assignment.commit_sha[:10] if self.assignment is not None else ""


def seen_line(deployment: Deployment, world: World) -> DeploymentLine:
    """With the gates of what it brings, and for one that is live with what served before it. Asks no forge."""
    run = world.store.run(deployment.run_id) if deployment.run_id else None
    line = deployment_line(deployment, world, asks_forge=False)
    return replace(
        line,
        live=_before(deployment, world) if deployment.phase is DeploymentPhase.LIVE else line.live,
        judgement=judgement_now(run, world) if run is not None and run.result is not None else None,
    )


def seen_lines(deployments: Sequence[Deployment], world: World) -> list[DeploymentLine]:
    return [seen_line(deployment, world) for deployment in deployments]


def _before(deployment: Deployment, world: World) -> VersionFacts | None:
    former = world.store.deployment(deployment.replaces) if deployment.replaces else None
    version = world.store.version(former.version_id) if former is not None else None
    return None if version is None else facts_of_version(version.lock, environment=deployment.environment)


def served_places(
    world: World, *, repository: str | None = None, model: str | None = None, environment: str | None = None
) -> list[ServedPlace]:
    """All places where something serves, or is on its way to. By environment, then model."""
    assignments = world.store.assignments(repository=repository, model=model, environment=environment)
    active = world.store.deployments(repository=repository, model=model, environment=environment, active=True)
    keys = {(one.environment, one.model, one.repository) for one in assignments if one.deployment_id}
    keys |= {(one.environment, one.model, one.repository) for one in active}
    return [_place(key, name, place, active, world) for place, name, key in sorted(keys)]


def is_environment(name: str, world: World) -> bool:
    """Whether anything was ever to serve there."""
    assigned = world.store.assignments(environment=name, limit=1)
    return bool(assigned or world.store.deployments(environment=name, limit=1))


def decisions_of(deployment: Deployment, world: World) -> list[tuple[Approval, str]]:
    """Each decision that somebody made, and why it does not count; "" for one that does."""
    approvals = world.store.approvals(deployment.id)
    refused = seen_standing(deployment, world).refused
    return [(approval, _why_not(approval, deployment, refused.get(approval.by, ""))) for approval in approvals]


def _why_not(approval: Approval, deployment: Deployment, refusal: str) -> str:
    if approval.decision is Decision.REJECTED and approval.thing == deployment.thing:
        return ""
    stale = "was given for something else: what would be deployed has changed since"
    return stale if approval.thing != deployment.thing else refusal


def _place(repository: str, model: str, environment: str, active: Sequence[Deployment], world: World) -> ServedPlace:
    assignment = serving_assignment(repository, model, environment, world)
    version = None
    if assignment is not None:
        version = version_at(repository, model, assignment.commit_sha, world)
    here = [one for one in active if (one.repository, one.model, one.environment) == (repository, model, environment)]
    return ServedPlace(
        repository=repository,
        model=model,
        environment=environment,
        assignment=assignment,
        version=version,
        answering=_answering(repository, model, environment, world),
        on_their_way=tuple(seen_line(one, world) for one in sorted(here, key=_in_line)),
    )


def _in_line(deployment: Deployment) -> tuple[bool, datetime]:
    return not deployment.phase.holds_turn, deployment.requested_at


def _answering(repository: str, model: str, environment: str, world: World) -> tuple[Answering, ...]:
    """The newest share first. Another repository's model of the same name is not this one."""
    serving = world.serving
    desired = serving.desired(environment, model) if serving is not None else None
    if serving is None or desired is None or desired.repository != repository:
        return ()
    observed = serving.observe(environment, model)
    return tuple(
        Answering(
            share.revision.version,
            share.percent,
            observed.revision(share.revision.id),
            serving.traffic(environment, model, share.revision.id),
        )
        for share in reversed(desired.shares)
    )
