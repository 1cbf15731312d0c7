"""The least that a model server can be: an ASGI application on uvicorn that reads a request and answers it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

OUTPUT = {"name": "output-0", "shape": [1], "datatype": "INT64", "data": [1]}
ANSWER = json.dumps({"model_name": "churn", "id": "0" * 32, "outputs": [OUTPUT]}).encode()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


@contextmanager
def serving() -> Iterator[int]:
    """A process of its own; gives its port."""
    command = [sys.executable, "-m", "tests.bench.lone_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def application(_scope: Any, receive: Any, send: Any) -> None:
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> None:
    import uvicorn

    from bot.web.server import listen

    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        application, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="error"
    )
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listener])


if __name__ == "__main__":
    main()
