"""A deployment: how far it is on its way, what it would bring, who let it pass, and the box to do so."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.comments.prediction import curl_line
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.links import Links
from bot.domain.masking import mask
from bot.domain.report_deployment_words import barred_words, deployment_words, next_step, people_words, served_words
from bot.domain.report_deployments import DeploymentLine
from bot.usecases.deployments.overview import decisions_of, seen_line
from bot.usecases.world import World
from bot.web.deployments_view import beside, comparison_table, milestones, of_deployment
from bot.web.live import Cursor, News, changed, digest, encode_cursor
from bot.web.pages.answers import common, page
from bot.web.site import site_of

PLAIN = "plain"
LOG_LINES = 60
PARTS = ("head", "about", "comparison", "approvals", "log")


def deployment(request: Request) -> Response:
    site, seen = site_of(request), deployment_or_404(request)
    fragments = _fragments(request, seen)
    return page(
        request,
        "deployment.html",
        deployment=seen,
        repository=site.world.store.repository(seen.repository),
        change=site.world.store.change(seen.repository, seen.number) if seen.number is not None else None,
        state=of_deployment(seen),
        fragments=fragments,
        cursor=encode_cursor({name: digest(html) for name, html in fragments.items()}),
        can_comment=seen.repository.partition("/")[0] == PLAIN,
    )


def deployment_events(request: Request) -> Response:
    deployment_or_404(request)

    def look(cursor: Cursor) -> News:
        seen = deployment_or_404(request)
        return News(changed(_fragments(request, seen), cursor), is_last=not seen.phase.is_active)

    return site_of(request).streams.respond(request, look)


def deployment_or_404(request: Request) -> Deployment:
    seen = site_of(request).world.store.deployment(request.path_params["deployment_id"])
    if seen is None:
        raise HTTPException(404)
    return seen


def _fragments(request: Request, seen: Deployment) -> dict[str, str]:
    """The parts of the page that change while it is open."""
    site = site_of(request)
    world = site.world
    line = seen_line(seen, world)
    values = {
        **common(request),
        "deployment": seen,
        "line": line,
        "state": of_deployment(seen),
        "words": beside(of_deployment(seen), deployment_words(line)),
        "milestones": milestones(line),
        "decisions": decisions_of(seen, world),
        "people": people_words(seen.rule.approvers),
        "barred": barred_words(line.barred),
        "waivers": [outcome.waiver for outcome in line.judgement.outcomes if outcome.waiver] if line.judgement else [],
        "table": comparison_table(line),
        "served": served_words(line),
        "next_step": next_step(line) if seen.number is not None else "",
        "endpoint": world.links.served(seen.environment, seen.model),
        "curl": curl_line(line, world.links),
        "log": _log(seen, world),
        "version_page": _version_page(line),
    }
    return {name: site.renderer.page(f"parts/deployment_{name}.html", **values) for name in PARTS}


def _version_page(line: DeploymentLine) -> str:
    deployment = line.deployment
    address = Links().model(deployment.repository, deployment.model)
    return f"{address}?version={deployment.version}" if deployment.version else address


def _log(deployment: Deployment, world: World) -> tuple[str, ...]:
    """The end of what the failing step said, the model server's own words among it."""
    if deployment.phase is not DeploymentPhase.FAILED or not deployment.pipeline_run:
        return ()
    run = world.store.run(deployment.pipeline_run)
    steps = run.result.steps if run is not None and run.result is not None else ()
    failed = [step for step in steps if step.state == "failed"]
    return tuple(mask(row) for row in failed[-1].log_tail[-LOG_LINES:]) if failed else ()
