"""The service's web application in a process of its own, without the loop, in front of one model server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.ports.serving import Backend

TOKEN = "prediction-token-of-the-bench"
ENVIRONMENT, MODEL = "staging", "churn"


@contextmanager
def serving(home: Path, backend: str) -> Iterator[int]:
    """Gives its port."""
    command = [sys.executable, "-m", "tests.bench.lone_proxy", str(home), backend]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


class OneRoute:
    def __init__(self, address: str) -> None:
        self._backends = [Backend("dep-1", address, 100)]

    def backends(self, environment: str, model: str) -> Sequence[Backend] | None:
        return self._backends if (environment, model) == (ENVIRONMENT, MODEL) else None

    def entered(self, revision_id: str) -> None: ...

    def left(self, revision_id: str, *, status: int | None, elapsed_s: float) -> None: ...


def main() -> None:
    from bot import logs
    from bot.web.app import create_app
    from bot.web.server import Server, listen
    from tests.web.kit import open_workplace

    logs.configure(json_lines=True)
    with open_workplace(Path(sys.argv[1]), predict_token=TOKEN) as place:
        site = place.app.state.site
        app = create_app(site.world, place.settings, actions=site.actions, routes=OneRoute(sys.argv[2]))
        listener = listen("127.0.0.1", 0)
        print(listener.getsockname()[1], flush=True)
        Server(app).run([listener])


if __name__ == "__main__":
    main()
