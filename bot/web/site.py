"""What the request handlers share. Built once in `app.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection

from bot.ports.store import Kind
from bot.settings import Settings
from bot.usecases.world import World
from bot.web.actions import Actions
from bot.web.live import Streams
from bot.web.rendering import Renderer
from bot.web.session import Sessions, Visitor


@dataclass(frozen=True, slots=True)
class Site:
    """`user` is the name under which comments from the pages are posted."""

    world: World
    settings: Settings
    actions: Actions
    wake: Callable[[Kind], None]
    sessions: Sessions
    streams: Streams
    renderer: Renderer
    user: str


def site_of(request: HTTPConnection) -> Site:
    site: Site = request.app.state.site
    return site


def visitor_of(request: HTTPConnection) -> Visitor:
    visitor: Visitor = request.state.visitor
    return visitor


def only_with_token(request: HTTPConnection) -> None:
    """A cookie is not enough to act through the API, for a browser sends it by itself."""
    if not visitor_of(request).by_bearer:
        raise HTTPException(401)
