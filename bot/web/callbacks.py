"""`POST /callbacks/runs/{id}`: a run says that it has news. The engine stays the authority on what they are."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.domain.errors import TransientError, UserError
from bot.ports.store import Kind
from bot.usecases.clone_credentials import exchanged
from bot.usecases.deployments import serving
from bot.usecases.deployments.serving import Served
from bot.usecases.world import World
from bot.web.body import TooLarge, read_body

MOST_BODY_BYTES = 4096
LOG_LINES = 30


class Callbacks:
    def __init__(self, world: World, wake: Callable[[Kind], None]) -> None:
        self._world = world
        self._wake = wake

    async def receive(self, request: Request) -> Response:
        run_id: str = request.path_params["run_id"]
        if not self._is_the_runs(request, run_id):
            return _refused()
        await anyio.to_thread.run_sync(self._wake_run, run_id)
        self._wake(Kind.RUN)
        return Response(status_code=204)

    async def serving(self, request: Request) -> Response:
        """What the pipeline `deploy` asks for: start beside, give a share, tell how it stands."""
        run_id: str = request.path_params["run_id"]
        if not self._is_the_runs(request, run_id):
            return _refused()
        try:
            wish = (
                _wish(await read_body(request.receive, limit_bytes=MOST_BODY_BYTES))
                if request.method == "POST"
                else None
            )
        except (ValueError, TooLarge):
            return JSONResponse({"problem": "This is not a wish that the bot knows.", "fix": ""}, 400)
        try:
            served = await anyio.to_thread.run_sync(self._carry_out, run_id, wish)
        except UserError as error:
            return JSONResponse({"problem": error.problem, "fix": error.fix}, 409)
        except TransientError as error:
            return JSONResponse({"problem": error.problem, "fix": ""}, 503, {"Retry-After": "1"})
        return JSONResponse(_as_json(served))

    async def credentials(self, request: Request) -> Response:
        """The fetch step of a cluster exchanges the run's token for those of the repositories that it clones."""
        run_id: str = request.path_params["run_id"]
        if not self._is_the_runs(request, run_id):
            return _refused()
        try:
            given = await anyio.to_thread.run_sync(exchanged, run_id, self._world)
        except UserError as error:
            return JSONResponse({"problem": error.problem, "fix": error.fix}, 409)
        except TransientError as error:
            return JSONResponse({"problem": error.problem, "fix": ""}, 503, {"Retry-After": "1"})
        return JSONResponse(given, headers={"Cache-Control": "no-store"})

    def _carry_out(self, run_id: str, wish: Wish | None) -> Served:
        if wish is None:
            return serving.served(run_id, self._world)
        if wish.percent is None:
            return serving.start_beside(run_id, self._world)
        return serving.give_share(run_id, wish.percent, self._world)

    def _is_the_runs(self, request: Request, run_id: str) -> bool:
        expected = f"Bearer {self._world.callback_token(run_id)}"
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), expected.encode())

    def _wake_run(self, run_id: str) -> None:
        with self._world.store.transaction() as transaction:
            transaction.wake(Kind.RUN, run_id, now=self._world.clock())


@dataclass(frozen=True, slots=True)
class Wish:
    """`percent` None asks only for a start."""

    percent: int | None


def _wish(body: bytes) -> Wish:
    """Raises ValueError for what is no wish."""
    document = json.loads(body)
    match document:
        case {"do": "apply"}:
            return Wish(None)
        case {"do": "promote", "percent": int(percent)} if 1 <= percent <= 100 and percent is not True:
            return Wish(percent)
    raise ValueError("neither apply nor promote")


def _as_json(served: Served) -> dict[str, Any]:
    observed, traffic = served.observed, served.traffic
    return {
        "state": observed.state.value,
        "percent": served.percent,
        "address": observed.address,
        "message": observed.message,
        "log": list(observed.log_tail[-LOG_LINES:]),
        "traffic": {
            "requests": traffic.requests,
            "errors": traffic.errors,
            "p99_ms": traffic.p99_ms,
            "is_measured": traffic.is_measured,
        },
    }


def _refused() -> Response:
    return JSONResponse({"error": "This token does not open this run."}, 401, {"WWW-Authenticate": "Bearer"})
