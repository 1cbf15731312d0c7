"""`python -m pipelines.serving.launch <folder>`: the keeper of one revision, which starts its model server and stays.

It outlives the bot that started it, and the lock that it holds says that it is there. It is started anew by the bot,
never by itself: one keeper, one server.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pipelines.serving.folder import ServerFolder
from pipelines.serving.keeper import Ended, Keeper
from pipelines.serving.order import Order
from pipelines.serving.prepare import Prepared, prepare
from pipelines.serving.server_log import ServerLog
from pipelines.steps import processes, store_environment
from pipelines.steps.failure import Canceled, StepFailed

PROGRAM = Path(__file__).with_name("server") / "__main__.py"
OOM_SCORE = "500"  # of 1000 (proc(5), oom_score_adj): rather a model server than the bot
BACKLOG = 1024
_INHERITED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Launch:
    def __init__(self, folder: ServerFolder, order: Order) -> None:
        self._folder = folder
        self._order = order
        self._keeper: Keeper | None = None
        self._may_cancel = True
        self._log = ServerLog(folder.log)

    def run(self) -> None:
        self._folder.write("started.json", {"pid": os.getpid(), "start": self._order.start, "at": _now()})
        self._folder.forget("ready.json")
        self._folder.forget("exit.json")
        store_environment.take()
        processes.adopt_orphans()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        try:
            ended = self._serve()
        except Canceled:
            ended = Ended(0, "It was told to end.")
        except StepFailed as failed:
            ended = Ended(1, " ".join(f"{failed.message} {failed.fix}".split()))
        except OSError as error:  # no space, no memory, too many processes
            ended = Ended(1, f"The model server could not be started: {error}.")
        self._may_cancel = False
        processes.kill_new_descendants(os.getpid(), known=frozenset())
        self._log.say(ended.words)
        self._log.close()
        self._folder.forget("ready.json")
        if not self._folder.path.exists():
            return
        self._folder.write(
            "exit.json", {"start": self._order.start, "at": _now(), "code": ended.exit_code, "words": ended.words}
        )

    def _serve(self) -> Ended:
        self._say(f"Starting {self._order.model} {self._order.version}.")
        for scratch in (self._folder.home, self._folder.scratch):
            scratch.mkdir(mode=0o700, exist_ok=True)
        prepared = prepare(self._order, self._folder, self._say)
        self._say("Loading the model.")
        port, process = self._start(prepared)
        self._keeper = Keeper(
            process,
            port=port,
            model=self._order.model,
            memory_bytes=self._order.memory_bytes,
            log=self._log,
            on_ready=lambda: self._tell_ready(port, process.pid),
            is_wanted=self._folder.path.exists,  # a home folder that is removed takes its servers with it
        )
        return self._keeper.run()

    def _start(self, prepared: Prepared) -> tuple[int, subprocess.Popen[bytes]]:
        """The port is the kernel's choice, and taken before the server starts: it can not be in use."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(BACKLOG)
            process = subprocess.Popen(
                [str(prepared.python), str(PROGRAM), str(self._folder.path), str(listening.fileno())],
                cwd=prepared.code or self._folder.path,
                env=server_environment(self._order, self._folder, prepared),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[listening.fileno()],
                process_group=0,
                preexec_fn=_begin,  # two system calls, and this process has one thread
            )
            return listening.getsockname()[1], process

    def _tell_ready(self, port: int, pid: int) -> None:
        at = _now()
        self._folder.write("ready.json", {"start": self._order.start, "port": port, "pid": pid, "at": at})
        if not self._folder.was_ready:
            self._folder.write("was-ready", {"at": at})
        self._log.say(f"{self._order.model} {self._order.version} is ready at http://127.0.0.1:{port}.")

    def _say(self, words: str) -> None:
        """Also to those who wait for it to be ready."""
        self._log.say(words)
        if not words.startswith("uv:"):
            self._folder.write("stage.json", {"start": self._order.start, "words": words})

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._keeper is not None:
            self._keeper.ask_to_stop()
        elif self._may_cancel:
            self._may_cancel = False
            raise Canceled


def server_environment(order: Order, folder: ServerFolder, prepared: Prepared) -> dict[str, str]:
    """All that a model server inherits."""
    threads = max(1, round(order.cpu))
    return {
        **{name: os.environ[name] for name in _INHERITED if name in os.environ},
        "PATH": f"{prepared.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(prepared.python.parent.parent),
        "HOME": str(folder.home),
        "TMPDIR": str(folder.scratch),
        "MLOPS_MODEL_DIR": str(prepared.model),
        "MLOPS_CODE_DIR": str(prepared.code or ""),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        **({"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)} if order.cpu else {}),
    }


def _begin() -> None:
    processes.die_with_parent()
    Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def main() -> None:
    folder = ServerFolder(Path(sys.argv[1]))
    with folder.lock() as mine:
        if not mine:  # another keeper serves it already
            return
        content = folder.read("order.json")
        assert content is not None
        Launch(folder, Order(**content)).run()


if __name__ == "__main__":
    main()
