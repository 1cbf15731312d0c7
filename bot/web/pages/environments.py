"""All environments: what serves in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from bot.usecases.deployments.overview import Answering, ServedPlace, served_places
from bot.usecases.world import World
from bot.web.deployments_view import DeploymentRow, deployment_row, of_server, place_state
from bot.web.live import Cursor, News, changed, digest, encode_cursor
from bot.web.pages.answers import common, page
from bot.web.site import site_of
from bot.web.states import State

PART = "environments"


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """A served model in a list."""

    place: ServedPlace
    state: State
    answering: Sequence[tuple[Answering, State]]
    on_their_way: Sequence[DeploymentRow]


@dataclass(frozen=True, slots=True)
class EnvironmentCard:
    name: str
    rows: Sequence[PlaceRow]


def all_environments(request: Request) -> Response:
    html = _fragment(request)
    return page(request, "environments.html", fragment=html, cursor=encode_cursor({PART: digest(html)}))


def environments_events(request: Request) -> Response:
    def look(cursor: Cursor) -> News:
        return News(changed({PART: _fragment(request)}, cursor))

    return site_of(request).streams.respond(request, look)


def environment_cards(world: World) -> list[EnvironmentCard]:
    rows = [place_row(place) for place in served_places(world)]
    by_name: dict[str, list[PlaceRow]] = {}
    for row in rows:
        by_name.setdefault(row.place.environment, []).append(row)
    return [EnvironmentCard(name, by_name[name]) for name in sorted(by_name)]


def place_row(place: ServedPlace) -> PlaceRow:
    return PlaceRow(
        place,
        place_state(place),
        [(one, of_server(one.observed)) for one in place.answering],
        [deployment_row(line) for line in place.on_their_way],
    )


def _fragment(request: Request) -> str:
    site = site_of(request)
    cards = environment_cards(site.world)
    return site.renderer.page("parts/environments.html", cards=cards, own=site.world.links, **common(request))
