"""The bot's web application on a real port, with routes to the tests' own model servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from bot.web.app import create_app
from bot.web.serve import Limits, Predictions
from tests.web.kit import Workplace, served
from tests.web.model_servers import ModelServer, ToldRoutes

INFER = "/serve/staging/churn/v2/models/churn/infer"
NAMES = ("staging", "churn")


def routes_to(*shares: tuple[ModelServer, int]) -> ToldRoutes:
    return ToldRoutes({NAMES: [server.backend(percent) for server, percent in shares]})


@asynccontextmanager
async def predicting(
    place: Workplace, routes: ToldRoutes | None, *, limits: Limits | None = None, token: str | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the prediction token."""
    site = place.app.state.site
    place.app = create_app(site.world, place.settings, actions=site.actions, routes=routes)
    if limits is not None:
        own: Any = place.app
        own.short_ways = {
            Predictions.prefix: Predictions(
                routes, place.settings, CollectorRegistry(), limits=limits, random=Random(11)
            )
        }
    headers = {"Authorization": f"Bearer {place.settings.predict_token if token is None else token}"}
    with served(place) as address:
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
            yield client


async def until(what: str, look: Callable[[], object], *, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < deadline, f"not within {within_s:.0f} s: {what}"
        await asyncio.sleep(0.005)
