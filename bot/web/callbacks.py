"""`POST /callbacks/runs/{id}`: a run says that it has news. The engine stays the authority on what they are."""

from __future__ import annotations

import hmac
from collections.abc import Callable

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.ports.store import Kind
from bot.usecases.world import World


class Callbacks:
    def __init__(self, world: World, wake: Callable[[Kind], None]) -> None:
        self._world = world
        self._wake = wake

    async def receive(self, request: Request) -> Response:
        run_id: str = request.path_params["run_id"]
        expected = f"Bearer {self._world.callback_token(run_id)}"
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            return JSONResponse({"error": "This token does not open this run."}, 401, {"WWW-Authenticate": "Bearer"})
        await anyio.to_thread.run_sync(self._wake_run, run_id)
        self._wake(Kind.RUN)
        return Response(status_code=204)

    def _wake_run(self, run_id: str) -> None:
        with self._world.store.transaction() as transaction:
            transaction.wake(Kind.RUN, run_id, now=self._world.clock())
