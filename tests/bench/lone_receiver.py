"""The service's web application on SQLite in a process of its own, without the loop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(home: Path) -> Iterator[int]:
    """Gives its port."""
    command = [sys.executable, "-m", "tests.bench.lone_receiver", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def main() -> None:
    from bot import logs
    from bot.web.server import Server, listen
    from tests.web.kit import open_workplace

    logs.configure(json_lines=True)
    with open_workplace(Path(sys.argv[1])) as place:
        listener = listen("127.0.0.1", 0)
        print(listener.getsockname()[1], flush=True)
        Server(place.app).run([listener])


if __name__ == "__main__":
    main()
