"""The run of the pipeline `deploy` that carries a deployment out."""

from __future__ import annotations

from dataclasses import asdict

from bot.domain.deployment import Deployment
from bot.domain.pipeline import DEPLOY
from bot.domain.project import Canary, JsonValue
from bot.domain.run import Phase, Run, run_id
from bot.domain.version import Version
from bot.usecases.deployments.incumbents import serving_assignment
from bot.usecases.reports import files_run
from bot.usecases.world import World

READY_TIMEOUT_S = 600.0  # a fresh environment of a big model takes minutes


def deploy_run(deployment: Deployment, version: Version, world: World) -> Run:
    lock = version.lock
    key = f"{deployment.id}:{lock.model_digest}"
    identity = run_id(run_key=key, trigger=DEPLOY)
    return Run(
        id=identity,
        key=key,
        trigger=DEPLOY,
        repository=deployment.repository,
        number=deployment.number,
        branch=deployment.branch,
        model=deployment.model,
        pipeline=DEPLOY,
        sha=lock.sha,
        requested_by=deployment.requested_by,
        requested_at=world.clock(),
        phase=Phase.QUEUED,
        params=lock.params,
        arguments={
            "run_id": identity,
            "run_prefix": world.artifacts.prefix(identity),
            "callback_url": world.callback_links.callback(identity) if world.callback_links is not None else "",
            "repository": deployment.repository,
            "sha": lock.sha,
            "model": deployment.model,
            "environment": deployment.environment,
            "version": str(lock.number),
            "model_prefix": lock.artifacts,
            "model_digest": lock.model_digest,
            "golden_prefix": _golden_prefix(deployment, version, world),
            "canary": _canary(deployment, world),
            "ready_timeout_s": READY_TIMEOUT_S,
            "lineage": {"run_key": key, "pipeline_version": world.pipeline_versions[DEPLOY]},
        },
        force=True,  # each deployment runs, however equal
    )


def _canary(deployment: Deployment, world: World) -> dict[str, JsonValue]:
    """The first version of a place has nobody to share the requests with."""
    place = (deployment.repository, deployment.model, deployment.environment)
    canary = deployment.rule.canary if serving_assignment(*place, world) is not None else Canary()
    return {**asdict(canary), "percents": list(canary.percents)}


def _golden_prefix(deployment: Deployment, version: Version, world: World) -> str:
    """Of the run that measured the model, which may be another one than trained it; "" where neither left rows."""
    for measured in (deployment.run_id, version.lock.run_id):
        run = world.store.run(measured) if measured else None
        if run is not None and run.result is not None and run.result.golden_rows:
            return world.artifacts.prefix(files_run(run))
    return ""
