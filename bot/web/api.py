"""`/api/v1/…`: what the pages show and do, for programs. Authorised by `Authorization: Bearer <access token>`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, HTTPException, Query, Request

from bot.domain.change import ChangeState
from bot.ports.store import Kind
from bot.usecases.doctor import checks_of, examine
from bot.usecases.explain import Explanation, explain_change, explain_event
from bot.usecases.reports import run_report
from bot.usecases.world import World
from bot.web import api_deployments, api_prune
from bot.web.api_models import (
    ChangeOut,
    CommentIn,
    CommentOut,
    DeliveryOut,
    DoctorOut,
    PayloadIn,
    Problem,
    RepositoryOut,
    RunDetails,
    RunOut,
)
from bot.web.health import check_overdue
from bot.web.pages.change import post_comment
from bot.web.runs_view import run_line
from bot.web.site import only_with_token, site_of

REFUSED: dict[int | str, dict[str, Any]] = {409: {"model": Problem}, 401: {"model": Problem}, 404: {"model": Problem}}
Limit = Query(default=50, ge=1, le=500)

router = APIRouter(prefix="/api/v1", responses=REFUSED)
router.include_router(api_deployments.router)
router.include_router(api_prune.router)


@router.get("/repositories")
def repositories(request: Request) -> list[RepositoryOut]:
    return [RepositoryOut.of(repository) for repository in _world(request).store.repositories()]


@router.get("/repositories/{key:path}/changes/{number}/explanation")
def explanation(request: Request, key: str, number: int, user: str = "") -> Explanation:
    """What would run for the change as it stands, and why; nothing is started."""
    world = _world(request)
    repository, found = world.store.repository(key), world.store.change(key, number)
    if repository is None or found is None:
        raise HTTPException(404)
    return explain_change(repository, found, world, user=user)


@router.post("/explanations")
def explanations(request: Request, given: PayloadIn) -> list[Explanation]:
    """The same for what a webhook of this body would tell; nothing is stored."""
    only_with_token(request)
    site = site_of(request)
    if site.actions.read_payload is None:
        raise HTTPException(404)
    delivery = site.actions.read_payload(given.body.encode(), given.event)
    events = site.world.forges[delivery.forge].events(delivery)
    return [explain_event(event, site.world, user=given.user) for event in events]


@router.get("/repositories/{key:path}/changes/{number}")
def change(request: Request, key: str, number: int) -> ChangeOut:
    found = _world(request).store.change(key, number)
    if found is None:
        raise HTTPException(404)
    return ChangeOut.of(found)


@router.get("/repositories/{key:path}/changes")
def changes(request: Request, key: str, state: ChangeState | None = None, limit: int = Limit) -> list[ChangeOut]:
    world = _world(request)
    if world.store.repository(key) is None:
        raise HTTPException(404)
    return [ChangeOut.of(found) for found in world.store.changes(key, state=state, limit=limit)]


@router.post("/repositories/{key:path}/changes/{number}/comments", status_code=201)
def comment(request: Request, key: str, number: int, given: CommentIn) -> CommentOut:
    """Also what a command is given with: `{"body": "/train n_estimators=400"}`."""
    only_with_token(request)
    site = site_of(request)
    if site.world.store.change(key, number) is None:
        raise HTTPException(404)
    return CommentOut(id=post_comment(site, key, number, author=given.author or site.user, body=given.body))


@router.get("/runs")
def runs(
    request: Request,
    repository: str | None = None,
    change: int | None = None,
    branch: str | None = None,
    model: str | None = None,
    active: bool | None = None,
    limit: int = Limit,
) -> list[RunOut]:
    world = _world(request)
    found = world.store.runs(
        repository=repository, number=change, branch=branch, model=model, active=active, limit=limit
    )
    return [RunOut.of(run_line(run, world)) for run in found]


@router.get("/runs/{run_id}")
def run(request: Request, run_id: str) -> RunDetails:
    world = _world(request)
    found = world.store.run(run_id)
    if found is None:
        raise HTTPException(404)
    return RunDetails.of_report(run_line(found, world), run_report(found, world))


@router.post("/runs/{run_id}/cancel", status_code=202)
def cancel(request: Request, run_id: str) -> RunOut:
    return _act(request, run_id, site_of(request).actions.cancel_run)


@router.post("/runs/{run_id}/rerun", status_code=202)
def rerun(request: Request, run_id: str) -> RunOut:
    return _act(request, run_id, site_of(request).actions.rerun_run)


@router.get("/doctor")
def doctor(request: Request) -> DoctorOut:
    """What works and what does not, each with its remedy. Asks forges, so it may take seconds."""
    site = site_of(request)
    thorough = {"artifacts": site.world.artifacts.check_access}
    checks = {
        **checks_of(site.world),
        **thorough,
        "loop": lambda: check_overdue(site.world),
        **site.actions.machine_checks,
    }
    return DoctorOut.of(examine(checks, secrets=site.settings.secret_values))


@router.post("/deliveries/{delivery_id:path}/replay", status_code=202)
def replay(request: Request, delivery_id: str) -> DeliveryOut:
    """Let a stored webhook be handled once more, which does no harm."""
    only_with_token(request)
    world = _world(request)
    delivery = world.store.delivery(delivery_id)
    if delivery is None:
        raise HTTPException(404)
    with world.store.transaction() as tx:
        tx.wake(Kind.DELIVERY, delivery.id, now=world.clock())
    site_of(request).wake(Kind.DELIVERY)
    return DeliveryOut.of(delivery, is_known=lambda key: world.store.repository(key) is not None)


def _act(request: Request, run_id: str, action: Callable[[str, str], str | None]) -> RunOut:
    only_with_token(request)
    site = site_of(request)
    if site.world.store.run(run_id) is None:
        raise HTTPException(404)
    after = site.world.store.run(action(run_id, site.user) or run_id)
    assert after is not None
    return RunOut.of(run_line(after, site.world))


def _world(request: Request) -> World:
    return site_of(request).world
