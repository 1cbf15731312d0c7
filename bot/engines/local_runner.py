"""The runner: a process that has imported kfp once, and forks a supervisor for each run.

It has one thread, knows no secrets, and decides nothing. Messages are datagrams on the socket whose descriptor is its
first argument: `{"load": path}` parses a pipeline ahead of need; `{"run": folder, "package": path}` comes with one end
of the run's line, over which the service and the run's supervisor talk. It ends when the service does, or when there
was nothing to do for a while; runs go on.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from bot.engines.local_folder import RunFolder
from bot.engines.local_kfp import components
from bot.engines.local_processes import adopt_orphans
from bot.engines.local_supervisor import supervise, tell

MESSAGE_LIMIT_BYTES = 65_536

Pipeline = Callable[..., object]


class Packages:
    """Compiled pipelines, parsed once: parsing takes longer than starting a run."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int, int], Pipeline] = {}

    def load(self, path: str) -> Pipeline:
        status = Path(path).stat()
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._known:
            self._known[key] = components.load_component_from_file(path)
            gc.freeze()  # what is shared with the children is never written to by the collector
        return self._known[key]


def import_steps() -> None:
    """What the standard pipelines' steps need, so that it is there in every fork."""
    import pipelines.steps

    for module in pkgutil.iter_modules(pipelines.steps.__path__, "pipelines.steps."):
        importlib.import_module(module.name)


def main(descriptor: int, idle_s: float) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children leave no zombies
    adopt_orphans()
    control = socket.socket(fileno=descriptor)
    packages = Packages()
    import_steps()
    gc.collect()
    gc.freeze()
    while True:
        readable, _, _ = select.select([control], [], [], idle_s)
        if not readable:
            if _has_children():
                continue
            return
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_LIMIT_BYTES, 1)
        if not message:
            return
        fields = json.loads(message)
        if "load" in fields:
            _load_ahead(packages, fields["load"])
        elif descriptors:
            with socket.socket(fileno=descriptors[0]) as line:
                _start(packages, RunFolder(Path(fields["run"])), fields["package"], line, control)


def _has_children() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


def _load_ahead(packages: Packages, path: str) -> None:
    try:
        packages.load(path)
    except Exception:  # noqa: BLE001 - kfp raises of many kinds; the run that needs it will say so
        traceback.print_exc()


def _start(packages: Packages, folder: RunFolder, package: str, line: socket.socket, control: socket.socket) -> None:
    try:
        pipeline = packages.load(package)
    except Exception as error:  # noqa: BLE001 - as above
        traceback.print_exc()
        tell(line, "refused", f"{package} can not be read as a pipeline: {error}")
        return
    try:
        pid = os.fork()
    except OSError as error:  # no memory, too many processes
        tell(line, "refused", f"no process could be started: {error}")
        return
    if pid == 0:
        code = 1
        try:
            control.close()
            supervise(folder, pipeline, line)
            code = 0
        except BaseException as error:  # noqa: BLE001 - a forked process must never go on as its parent would
            traceback.print_exc()
            tell(line, "refused", f"{type(error).__name__}: {error}")
        finally:
            os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
    os._exit(0)  # somebody waits for the end, and taking kfp apart takes long
