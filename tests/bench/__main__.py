"""`make bench`: measures speed and size against the goals, and against the bare scripts in the same run.

`make bench ARGS="--only push"` measures one thing, `--quick` with fewer rounds; `--json` prints what programs read.
Exits with 1 when something misses its goal.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from collections.abc import Callable
from time import perf_counter

from tests.bench.table import Row, as_json, as_text, say

Measure = Callable[..., list[Row]]

# name: (module, function)
MEASUREMENTS = {
    "help": ("tests.bench.command_line", "measure"),
    "start": ("tests.bench.idle", "measure"),
    "receiver": ("tests.bench.receiver", "measure"),
    "parked": ("tests.bench.parked", "measure"),
    "push": ("tests.bench.push", "measure"),
    "run": ("tests.bench.push", "measure_run_train"),
    "deploy": ("tests.bench.deploy", "measure"),
    "serve": ("tests.bench.serve", "measure"),
    "kubeflow": ("tests.bench.kubeflow", "measure"),
    "others": ("tests.bench.others", "measure"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="measure this (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    rows: list[Row] = []
    failed: list[str] = []
    for name in arguments.only or MEASUREMENTS:
        module, function = MEASUREMENTS[name]
        say(f"measuring: {name}")
        began = perf_counter()
        measure: Measure = getattr(importlib.import_module(module), function)
        try:
            rows += measure(quick=arguments.quick)
        except Exception:  # noqa: BLE001 - the other measurements are still worth their while
            traceback.print_exc()
            failed.append(name)
        say(f"  {perf_counter() - began:.0f} s")
    print(as_json(rows) if arguments.json else as_text(rows))
    if failed:
        say(f"could not be measured: {', '.join(failed)}")
    return bool(failed) or any(row.verdict in ("over", "under") for row in rows)


if __name__ == "__main__":
    sys.exit(main())
