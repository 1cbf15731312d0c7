"""An environment: each model that serves in it, how its server stands, and what is on its way there."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.usecases.deployments.overview import is_environment, seen_lines, served_places
from bot.web.deployments_view import deployment_row
from bot.web.live import Cursor, News, changed, digest, encode_cursor
from bot.web.pages.answers import common, page
from bot.web.pages.environments import EnvironmentCard, place_row
from bot.web.site import site_of

DEPLOYMENTS_SHOWN = 30


def environment(request: Request) -> Response:
    name = _name_or_404(request)
    fragments = _fragments(request, name)
    cursor = encode_cursor({part: digest(html) for part, html in fragments.items()})
    return page(request, "environment.html", name=name, fragments=fragments, cursor=cursor)


def environment_events(request: Request) -> Response:
    name = _name_or_404(request)

    def look(cursor: Cursor) -> News:
        return News(changed(_fragments(request, name), cursor))

    return site_of(request).streams.respond(request, look)


def _name_or_404(request: Request) -> str:
    name: str = request.path_params["environment"]
    if not is_environment(name, site_of(request).world):
        raise HTTPException(404)
    return name


def _fragments(request: Request, name: str) -> dict[str, str]:
    site = site_of(request)
    world = site.world
    card = EnvironmentCard(name, [place_row(place) for place in served_places(world, environment=name)])
    found = world.store.deployments(environment=name, limit=DEPLOYMENTS_SHOWN)
    rows = [deployment_row(line) for line in seen_lines(found, world)]
    values = {**common(request), "own": world.links}
    return {
        "served": site.renderer.page("parts/environments.html", cards=[card], **values),
        "deployments": site.renderer.page("parts/deployments.html", rows=rows, empty="None yet.", **values),
    }
