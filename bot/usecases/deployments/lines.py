"""Gather what a report or a page says of deployments."""

from __future__ import annotations

from bot.comments.prediction import GOLDEN_LIMIT_BYTES, request_body
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.feedback import Subject
from bot.domain.report_deployments import DeploymentLine, shown_deployments
from bot.domain.report_versions import VersionFacts, facts_of_result, facts_of_version
from bot.domain.run import Phase, StepProgress
from bot.usecases.deployments.approvals import approval_standing, barred_from, known_authors, seen_standing
from bot.usecases.deployments.incumbents import serving_version
from bot.usecases.world import World

MOST_OF_ONE_CHANGE = 200


def deployment_lines(subject: Subject, world: World) -> list[DeploymentLine]:
    """Of a change or of a branch; a branch has those that no change asked for."""
    if world.serving is None:
        return []
    found = world.store.deployments(repository=subject.repository, number=subject.number, limit=MOST_OF_ONE_CHANGE)
    own = [one for one in found if one.number == subject.number and (subject.number or one.branch == subject.branch)]
    return [deployment_line(deployment, world) for deployment in shown_deployments(own)]


def deployment_line(deployment: Deployment, world: World, *, asks_forge: bool = True) -> DeploymentLine:
    """Without asking the forge, who may approve is taken from what is stored, see `seen_standing`."""
    waits = deployment.phase is DeploymentPhase.WAITING_FOR_APPROVAL
    live = serving_version(deployment.repository, deployment.model, deployment.environment, world)
    return DeploymentLine(
        deployment=deployment,
        approved_by=_approved_by(deployment, world, asks_forge=asks_forge),
        barred=(barred_from if asks_forge else known_authors)(deployment, world) if waits else {},
        place=world.store.place_in_line(deployment) + 1 if deployment.phase is DeploymentPhase.WAITING_FOR_TURN else 0,
        progress=_progress(deployment, world),
        candidate=_candidate(deployment, world),
        live=facts_of_version(live.lock, environment=deployment.environment) if live is not None else None,
        request_body=_request_body(deployment, world),
    )


def _approved_by(deployment: Deployment, world: World, *, asks_forge: bool) -> tuple[str, ...]:
    """Who may is asked from the forge only while that decides; afterwards it was, right before the start."""
    if asks_forge and deployment.phase is DeploymentPhase.WAITING_FOR_APPROVAL:
        return approval_standing(deployment, world).counted
    if asks_forge and not deployment.phase.is_active:
        return ()
    return seen_standing(deployment, world).counted


def _candidate(deployment: Deployment, world: World) -> VersionFacts | None:
    version = world.store.version(deployment.version_id) if deployment.version_id else None
    if version is not None:
        return facts_of_version(version.lock)
    run = world.store.run(deployment.run_id) if deployment.run_id else None
    return facts_of_result(run.result, sha=run.sha) if run is not None and run.result is not None else None


def _progress(deployment: Deployment, world: World) -> tuple[StepProgress, ...]:
    run = world.store.run(deployment.pipeline_run) if deployment.pipeline_run else None
    if run is None or run.phase not in (Phase.STARTING, Phase.RUNNING):
        return ()
    return world.engine.observe([run.id])[run.id].steps


def _request_body(deployment: Deployment, world: World) -> str:
    """A row that the model is known to answer, where its run left one."""
    if deployment.phase is not DeploymentPhase.LIVE or not deployment.run_id:
        return ""
    run = world.store.run(deployment.run_id)
    if run is None:
        return ""
    golden = world.artifacts.read(run.reused_run or run.id, "golden.json", limit_bytes=GOLDEN_LIMIT_BYTES)
    return request_body(golden) if golden is not None else ""
