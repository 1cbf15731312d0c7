"""The server process: uvicorn, told to end open pages when it stops."""

from __future__ import annotations

import socket

import uvicorn
from fastapi import FastAPI

# long enough for the requests in hand, short enough for an impatient Ctrl-C
GRACE_S = 10
BACKLOG = 2048


class Server(uvicorn.Server):
    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            lifespan="on",
            ws="none",
            access_log=False,  # it would print the token of the first address
            log_level="warning",
            proxy_headers=False,  # nothing here depends on the client's address
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=GRACE_S,
            backlog=BACKLOG,
        )
        super().__init__(config)
        self._streams = app.state.site.streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._streams.close()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Bind before anything is printed or started: a taken port is found first, and who comes early waits. Raises
    OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.set_inheritable(False)
    return listener
