"""Deployments as the forge shows them, where it has pages for that: told only what has changed."""

from __future__ import annotations

from hashlib import sha256

import structlog

from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.errors import UserError
from bot.domain.feedback import Subject
from bot.domain.serving import service_name
from bot.domain.version import version_tag
from bot.ports.forge import DeploymentState, ForgeDeployment
from bot.usecases.deployments.incumbents import PRODUCTION
from bot.usecases.world import World

log = structlog.get_logger()

MOST_SHOWN = 50  # of one change that are followed

_STATES = {
    DeploymentPhase.WAITING_FOR_RUN: DeploymentState.PENDING,
    DeploymentPhase.WAITING_FOR_APPROVAL: DeploymentState.PENDING,
    DeploymentPhase.WAITING_FOR_TURN: DeploymentState.PENDING,
    DeploymentPhase.REGISTERING: DeploymentState.IN_PROGRESS,
    DeploymentPhase.DEPLOYING: DeploymentState.IN_PROGRESS,
    DeploymentPhase.LIVE: DeploymentState.LIVE,
    DeploymentPhase.FAILED: DeploymentState.FAILED,
}
_WORDS = {
    DeploymentPhase.WAITING_FOR_RUN: "Waits for its training.",
    DeploymentPhase.WAITING_FOR_APPROVAL: "Waits for approval.",
    DeploymentPhase.WAITING_FOR_TURN: "Waits for its turn.",
    DeploymentPhase.REGISTERING: "Is being registered.",
    DeploymentPhase.DEPLOYING: "Is being deployed.",
    DeploymentPhase.LIVE: "Serves.",
    DeploymentPhase.REPLACED: "Another version took its place.",
}


def show_on_forge(subject: Subject, world: World) -> None:
    forge = world.forge_of(subject.repository)
    if not forge.capabilities.deployments:
        return
    found = world.store.deployments(repository=subject.repository, number=subject.number, limit=MOST_SHOWN)
    for deployment in reversed(found):
        if deployment.number != subject.number:
            continue
        shown = forge_deployment(deployment, world)
        digest = sha256(repr(shown).encode()).hexdigest()
        if digest == deployment.forge_shown:
            continue
        try:
            forge_id = forge.put_deployment(subject.repository, shown, known_id=deployment.forge_id)
        except UserError as error:  # without the permission, reports still work
            log.warning("deployment_not_shown", deployment=deployment.id, problem=error.problem)
            forge_id = deployment.forge_id or ""
        with world.store.transaction() as tx:
            tx.save_forge_shown(deployment.id, forge_id=forge_id or None, digest=digest)


def forge_deployment(deployment: Deployment, world: World) -> ForgeDeployment:
    is_live = deployment.phase is DeploymentPhase.LIVE
    version = world.store.version(deployment.version_id) if deployment.version_id else None
    is_tagged = version is not None and bool(version.commit_sha)
    return ForgeDeployment(
        key=deployment.id,
        environment=service_name(deployment.environment, deployment.model),
        sha=deployment.sha,
        ref=version_tag(deployment.model, version.lock.number) if version is not None and is_tagged else "",
        state=_STATES.get(deployment.phase, DeploymentState.INACTIVE),
        description=_WORDS.get(deployment.phase) or deployment.words,
        address=world.links.served(deployment.environment, deployment.model) if is_live else "",
        page=world.links.deployment(deployment.id),
        is_production=deployment.environment == PRODUCTION,
    )
