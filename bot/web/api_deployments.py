"""`/api/v1/…` of versions, environments, deployments and the ledger."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.feedback import LedgerEntry
from bot.usecases.deployments.by_operator import Wish, deploy_by_operator, rebuild, rollback_by_operator
from bot.usecases.deployments.overview import decisions_of, seen_line, seen_lines, served_places
from bot.usecases.world import World
from bot.web.api_deployment_models import (
    DecisionOut,
    DeploymentDetails,
    DeploymentIn,
    DeploymentOut,
    LedgerOut,
    PlaceOut,
    RebuiltOut,
    RollbackIn,
    VersionOut,
)
from bot.web.models_view import version_rows
from bot.web.site import Site, only_with_token, site_of

LEDGER_SLICE = 500
JSON_LINES = "application/jsonl"
Limit = Query(default=50, ge=1, le=500)

router = APIRouter()


@router.get("/versions")
def versions(
    request: Request, repository: str | None = None, model: str | None = None, limit: int = Limit
) -> list[VersionOut]:
    """The highest number of each model first."""
    world = _world(request)
    found = world.store.versions(repository=repository, model=model, limit=limit)
    places = served_places(world, repository=repository, model=model)
    models = sorted({(version.repository, version.lock.model) for version in found})
    rows = [
        row
        for key, name in models
        for row in version_rows(
            [one for one in found if (one.repository, one.lock.model) == (key, name)],
            [one for one in places if (one.repository, one.model) == (key, name)],
        )
    ]
    return [VersionOut.of(row) for row in rows]


@router.get("/environments")
def environments(request: Request, environment: str | None = None) -> list[PlaceOut]:
    """Each model that serves in an environment, or is on its way there."""
    world = _world(request)
    return [PlaceOut.of(place, world) for place in served_places(world, environment=environment)]


@router.get("/deployments")
def deployments(
    request: Request,
    repository: str | None = None,
    model: str | None = None,
    environment: str | None = None,
    change: int | None = None,
    active: bool | None = None,
    phase: DeploymentPhase | None = None,
    limit: int = Limit,
) -> list[DeploymentOut]:
    """The newest first."""
    world = _world(request)
    found = world.store.deployments(
        repository=repository,
        model=model,
        environment=environment,
        number=change,
        active=active,
        phase=phase,
        limit=limit,
    )
    return [DeploymentOut.of(line, world) for line in seen_lines(found, world)]


@router.get("/deployments/{deployment_id}")
def deployment(request: Request, deployment_id: str) -> DeploymentDetails:
    world = _world(request)
    found = world.store.deployment(deployment_id)
    if found is None:
        raise HTTPException(404)
    return _details(found, world)


@router.post("/deployments", status_code=202)
def deploy(request: Request, given: DeploymentIn) -> DeploymentDetails:
    """Deploy what the default branch holds, or a registered version. Where approvals are needed, ask on a change."""
    only_with_token(request)
    site = site_of(request)
    return _details(deploy_by_operator(_wish(given, site), site.world), site.world)


@router.post("/rollbacks", status_code=202)
def rollback(request: Request, given: RollbackIn) -> DeploymentDetails:
    """Let the version serve again that served before, or the one that is named: at once, without approval."""
    only_with_token(request)
    site = site_of(request)
    return _details(rollback_by_operator(_wish(given, site), site.world), site.world)


@router.post("/rebuild")
def rebuild_index(request: Request) -> list[RebuiltOut]:
    """Make the index of versions and assignments anew, from the repositories' tags."""
    only_with_token(request)
    return [RebuiltOut.of(one) for one in rebuild(_world(request))]


@router.get("/ledger", response_class=StreamingResponse, responses={200: {"content": {JSON_LINES: {}}}})
def ledger(
    request: Request,
    repository: str | None = None,
    model: str | None = None,
    environment: str | None = None,
    since: int = Query(default=0, ge=0, le=2**62),
    newest: int | None = Query(default=None, ge=1, le=1000),
) -> StreamingResponse:
    """JSON lines, the oldest entry first: all of them, those behind the place `since`, or the `newest` ones."""
    world = _world(request)
    if newest is not None:
        found = world.store.ledger(repository=repository, model=model, environment=environment, limit=newest)
        return StreamingResponse(iter([_lines(found[::-1])]), media_type=JSON_LINES)
    slices = _slices(world, repository, model, environment, since)
    return StreamingResponse(slices, media_type=JSON_LINES)


def _slices(
    world: World, repository: str | None, model: str | None, environment: str | None, since: int
) -> Iterator[str]:
    while True:
        found = world.store.ledger(
            repository=repository, model=model, environment=environment, since=since, limit=LEDGER_SLICE
        )
        yield _lines(found)
        if len(found) < LEDGER_SLICE:
            return
        since = found[-1].seq


def _lines(entries: Sequence[LedgerEntry]) -> str:
    return "".join(f"{LedgerOut.of(entry).model_dump_json()}\n" for entry in entries)


def _details(deployment: Deployment, world: World) -> DeploymentDetails:
    now = world.store.deployment(deployment.id) or deployment
    decisions = [
        DecisionOut(
            by=one.by,
            at=one.at,
            decision=one.decision,
            reason=one.reason,
            source=one.source,
            counts=not why_not,
            why_not=why_not,
        )
        for one, why_not in decisions_of(now, world)
    ]
    return DeploymentDetails.of_line(seen_line(now, world), decisions, world)


def _source() -> str:
    return f"api:{secrets.token_hex(8)}"


def _world(request: Request) -> World:
    return site_of(request).world


def _wish(given: DeploymentIn | RollbackIn, site: Site) -> Wish:
    return Wish(
        repository=given.repository,
        environment=given.environment,
        model=given.model,
        version=given.version,
        by=given.author or site.user,
        source=_source(),
    )
