"""`/healthz`: the process runs. `/readyz`: it can do its work. `/metrics`: how much of it there is."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from bot.domain.errors import TransientError, UserError
from bot.domain.masking import mask
from bot.ports.store import Kind
from bot.usecases.doctor import Check, checks_of
from bot.usecases.world import World
from bot.web.site import site_of, visitor_of

# a loop that takes what is due leaves nothing lying for this long, however busy it is
OVERDUE_LIMIT_S = 60.0


def healthz(_request: Request) -> Response:
    return PlainTextResponse("ok\n")


def readyz(request: Request) -> Response:
    """Probes learn which part fails; why it fails is for those who are signed in.

    `?only=store` looks at that part alone: what decides whether a replica is sent webhooks must not ask forges each few
    seconds, nor turn webhooks away because Kubeflow is down.
    """
    site = site_of(request)
    checks_to_make = {**checks_of(site.world), "loop": lambda: check_overdue(site.world)}
    only = request.query_params.getlist("only") or list(checks_to_make)
    if unknown := [part for part in only if part not in checks_to_make]:
        words = f"There is no part {unknown[0][:40]!r}; there are: {', '.join(checks_to_make)}."
        return JSONResponse({"error": words}, 400)
    reasons = {part: _reason(checks_to_make[part]) for part in only}
    is_ready = not any(reasons.values())
    checks = {name: "failing" if reason else "ok" for name, reason in reasons.items()}
    answer: dict[str, object] = {"ready": is_ready, "checks": checks}
    if visitor_of(request).is_signed_in:
        failing = {name: mask(reason, site.settings.secret_values) for name, reason in reasons.items() if reason}
        answer["reasons"] = failing
    return JSONResponse(answer, 200 if is_ready else 503)


class Metrics:
    def __init__(self, registry: CollectorRegistry, world: World, restarts: Mapping[Kind, int]) -> None:
        self._registry = registry
        registry.register(_Rows(world))
        registry.register(_Restarts(restarts))

    def respond(self, _request: Request) -> Response:
        return Response(generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


class _Restarts(Collector):
    def __init__(self, restarts: Mapping[Kind, int]) -> None:
        self._restarts = restarts

    def collect(self) -> list[CounterMetricFamily]:
        text = "Threads of the worker that died and were started again, since this process started."
        restarts = CounterMetricFamily("mlops_bot_worker_restarts", text, labels=["kind"])
        for kind, count in self._restarts.items():
            restarts.add_metric([kind.value], count)
        return [restarts]


class _Rows(Collector):
    """Asked from the store at each scrape, so that a restart or a second replica does not matter."""

    def __init__(self, world: World) -> None:
        self._world = world

    def describe(self) -> list[CounterMetricFamily | GaugeMetricFamily]:
        return []  # registering must not ask the store

    def collect(self) -> list[CounterMetricFamily | GaugeMetricFamily]:
        rows = GaugeMetricFamily("mlops_bot_rows", "Rows by kind and phase.", labels=["kind", "phase"])
        for name, count in self._world.store.counts().items():
            kind, _, phase = name.partition("/")
            rows.add_metric([kind, phase], count)
        overdue = GaugeMetricFamily("mlops_bot_overdue_seconds", "Age of the oldest row that is due and not taken.")
        overdue.add_metric([], self._world.store.overdue_s(now=self._world.clock()))
        return [rows, overdue, self._forge_calls()]

    def _forge_calls(self) -> CounterMetricFamily:
        """By this process since it started; what a forge answered with "not changed" costs no quota and is not in."""
        calls = CounterMetricFamily("mlops_bot_forge_calls", "Requests made to a forge.", labels=["forge", "kind"])
        for name, forge in sorted(self._world.forges.items()):
            counted: Mapping[str, int] = getattr(forge, "calls", {})  # plain git makes none
            for kind, count in sorted(dict(counted).items()):
                calls.add_metric([name, kind], count)
        return calls


def _reason(check: Check) -> str:
    """What is wrong, "" for nothing."""
    try:
        check()
    except (TransientError, UserError) as error:
        return str(error)
    return ""


def check_overdue(world: World) -> str:
    overdue_s = world.store.overdue_s(now=world.clock())
    if overdue_s > OVERDUE_LIMIT_S:
        raise TransientError(f"The oldest row that is due has waited for {overdue_s:.0f} s.")
    return "nothing waits for long"
