"""The web application: which address leads where."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from bot.domain.errors import TransientError, UserError
from bot.ports.serving import Routes
from bot.ports.store import Kind
from bot.settings import Settings
from bot.usecases.world import World
from bot.web import api, health
from bot.web.access import Access
from bot.web.actions import Actions
from bot.web.body import TooLarge
from bot.web.callbacks import Callbacks
from bot.web.forms import WrongForm
from bot.web.inbox import Inbox
from bot.web.live import Streams
from bot.web.mishaps import Mishaps
from bot.web.pages import (
    answers,
    change,
    commit,
    deployment,
    environment,
    environments,
    files,
    home,
    ledger,
    model,
    repository,
    run,
    setup,
    sign_in,
)
from bot.web.rendering import STATIC, Renderer
from bot.web.serve import Predictions
from bot.web.session import Sessions
from bot.web.site import Site
from bot.web.timings import Timed, Timings
from bot.web.webhooks import Receiver


def create_app(
    world: World,
    settings: Settings,
    *,
    actions: Actions,
    wake: Callable[[Kind], None] | None = None,
    routes: Routes | None = None,
    restarts: Mapping[Kind, int] | None = None,
) -> FastAPI:
    """`wake` is told of rows that became due: cheap, and callable from any thread. `routes` lead predictions to where
    models answer; without them none are served. `restarts` are the worker's own, which `/metrics` tells.

    `app.state.site.streams.close()` ends the open pages, which a server must do before it waits for its connections;
    `bot/web/server.py` does.
    """
    wake = wake or (lambda _kind: None)
    site = Site(
        world=world,
        settings=settings,
        actions=actions,
        wake=wake,
        sessions=Sessions(settings.access_token),
        streams=Streams(),
        renderer=Renderer(world.clock, own_address=settings.base_url),
        user=_user(),
    )
    inbox = Inbox(world.store.add_deliveries, stored=partial(wake, Kind.DELIVERY))
    registry = CollectorRegistry()
    predictions = Predictions(routes, settings, registry)
    app = _App(
        title="mlops-bot",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # it would be loaded from a CDN
        redoc_url=None,
        lifespan=_lifespan(inbox, site.streams, predictions),
    )
    for error, answer in _ANSWERS.items():
        app.add_exception_handler(error, answer)
    app.state.site = site
    app.router.routes[:0] = [
        *_routes(world, wake, health.Metrics(registry, world, restarts or {})),
        _Page(setup.PATH, setup.GitHubPages(site).respond),
    ]
    app.include_router(api.router)
    app.add_middleware(Mishaps)
    app.add_middleware(Access, site=site)
    timings = Timings(registry)
    app.add_middleware(Timed, timings=timings)
    app.short_ways = {
        Receiver.prefix: Timed(Mishaps(Receiver(world.forges, inbox)), timings=timings),
        Predictions.prefix: Timed(Mishaps(predictions), timings=timings),
    }
    return app


class _App(FastAPI):
    """Webhooks and predictions take a short way: thousands may come in a second, and they need nothing of what pages
    need."""

    short_ways: Mapping[str, ASGIApp]  # by how the path begins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for prefix, app in self.short_ways.items():
                if scope["path"].startswith(prefix):
                    scope["app"] = self
                    await app(scope, receive, send)
                    return
        await super().__call__(scope, receive, send)


def _routes(world: World, wake: Callable[[Kind], None], metrics: health.Metrics) -> list[BaseRoute]:
    """In this order, for a repository's key may hold slashes."""
    at_change, at_commit = "/repositories/{key:path}/changes/{number:int}", "/repositories/{key:path}/commits/{sha}"
    post = ["POST"]
    callbacks = Callbacks(world, wake)
    return [
        _Page("/callbacks/runs/{run_id}", callbacks.receive, methods=post),
        _Page("/callbacks/runs/{run_id}/credentials", callbacks.credentials, methods=post),
        _Page("/callbacks/runs/{run_id}/serving", callbacks.serving, methods=["GET", *post]),
        _Page("/healthz", health.healthz),
        _Page("/readyz", health.readyz),
        _Page("/metrics", metrics.respond),
        Mount("/static", _Static(directory=STATIC)),
        _Page("/", home.home),
        _Page("/events", home.home_events),
        _Page("/login", sign_in.sign_in, methods=post),
        _Page(f"{at_change}/comments", change.comment, methods=post),
        _Page(f"{at_change}/events", change.change_events),
        _Page(at_change, change.change),
        _Page(f"{at_commit}/events", commit.commit_events),
        _Page(at_commit, commit.commit),
        *_model_routes(),
        _Page("/repositories/{key:path}", repository.repository),
        _Page("/runs/{run_id}", run.run),
        _Page("/runs/{run_id}/events", run.run_events),
        _Page("/runs/{run_id}/cancel", run.cancel, methods=post),
        _Page("/runs/{run_id}/rerun", run.rerun, methods=post),
        _Page("/runs/{run_id}/files/{path:path}", files.file),
        _Page("/runs/{run_id}/plots/{path:path}", files.plot),
    ]


def _model_routes() -> list[BaseRoute]:
    at_model = "/repositories/{key:path}/models/{model}"
    return [
        _Page(f"{at_model}/events", model.model_events),
        _Page(f"{at_model}/charts/{{metric:path}}", model.chart),
        _Page(at_model, model.model),
        _Page("/deployments/{deployment_id}", deployment.deployment),
        _Page("/deployments/{deployment_id}/events", deployment.deployment_events),
        _Page("/environments", environments.all_environments),
        _Page("/environments/events", environments.environments_events),
        _Page("/environments/{environment}", environment.environment),
        _Page("/environments/{environment}/events", environment.environment_events),
        _Page("/ledger", ledger.ledger),
    ]


def _lifespan(
    inbox: Inbox, streams: Streams, predictions: Predictions
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        streams.close()
        await inbox.close()
        await predictions.close()

    return lifespan


class _Page(Route):
    """Says which route was taken, which routers do in some versions only."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return match, {**child_scope, "route": self}


class _Static(StaticFiles):
    """Addresses hold the content's digest, so that a browser never needs to ask again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _refuse(status: int, request: Request, _error: Exception) -> Response:
    return answers.error_answer(request, status)


def _unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, TransientError)
    return answers.error_answer(request, 503, {"Retry-After": str(max(1, round(error.retry_after_s)))})


_ANSWERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    HTTPException: answers.on_http_error,
    WrongForm: partial(_refuse, 403),
    TooLarge: partial(_refuse, 413),
    TransientError: _unavailable,
    UserError: answers.on_user_error,
}


def _user() -> str:
    """Whoever runs the service: the token is theirs, so what is done with it is said to be theirs."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return "operator"
