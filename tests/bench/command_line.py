"""`mlops-bot --help`: how long it takes, and that what is heavy stays out of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from tests.bench.table import Row

HEAVY = ("kfp", "dvc", "sqlalchemy", "fastapi", "pydantic", "fsspec", "git", "jsonschema", "yaml", "rich")


def measure(*, quick: bool) -> list[Row]:
    rounds = 5 if quick else 15
    program = str(Path(sys.executable).with_name("mlops-bot"))
    took = median(_seconds([program, "--help"]) for _ in range(rounds))
    bare = median(_seconds([sys.executable, "-c", "pass"]) for _ in range(rounds))
    return [
        Row("mlops-bot --help", took, "s", 0.3, reference=bare, reference_name="python", ratio=took / bare),
        Row("heavy packages that --help imports", _heavy_imports(), "", 0),
    ]


def _heavy_imports() -> int:
    script = (
        "import sys; sys.argv = ['mlops-bot', '--help']\n"
        "from bot.cli import main\n"
        "try: main()\n"
        f"finally: print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return len(done.stderr.split())


def _seconds(command: list[str]) -> float:
    began = perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return perf_counter() - began
