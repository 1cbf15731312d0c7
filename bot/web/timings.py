"""How long answers take, by route, for `/metrics`."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


METHODS = frozenset({"GET", "HEAD", "POST"})


class Timings:
    """A route is named by its template, so that addresses from outside can not make up new time series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "mlops_bot_http_request_seconds",
            "Time from a request to the end of its answer.",
            labelnames=("route", "method", "status"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._known: dict[tuple[str, str, int], Histogram] = {}

    def note(self, route: str, method: str, status: int, seconds: float) -> None:
        key = route, method if method in METHODS else "other", status
        if key not in self._known:
            self._known[key] = self._seconds.labels(*key)
        self._known[key].observe(seconds)


class Timed:
    def __init__(self, app: ASGIApp, *, timings: Timings) -> None:
        self._app = app
        self._timings = timings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            if not route.endswith("/events"):  # those last as long as the page is open
                self._timings.note(route, scope["method"], status, perf_counter() - started)
