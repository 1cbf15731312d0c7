"""`python -m pipelines.serving.pod`: the model server of one revision in a pod of KServe, which looks after it.

KServe has brought the model to a folder. What is served stands in the variable `MLOPS_ORDER`. The code comes by git,
for a private repository with `MLOPS_BOT_GIT_CREDENTIALS`, and the environment is built as everywhere else. Then
this process becomes the server, so that Kubernetes' signals reach it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from pipelines.serving.folder import ServerFolder
from pipelines.serving.launch import BACKLOG, PROGRAM, server_environment
from pipelines.serving.order import Order
from pipelines.serving.prepare import Prepared, prepare
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.masking import Masker
from pipelines.steps.model import digest_of, model_files

ORDER = "MLOPS_ORDER"
MODEL_FOLDER = "MLOPS_POD_MODEL"
BROUGHT_BY_KSERVE = "/mnt/models"
PORT = "8080"  # KServe's and Knative's default; Knative also says it in PORT
NOT_PREPARED = 1
TERMINATION_MESSAGE = Path("/dev/termination-log")  # Kubernetes shows it, and KServe tells it


def main() -> None:
    folder = ServerFolder(Path.home().resolve() / "serving")
    order = Order(storage="", cache=str(folder.path / "cache"), **json.loads(os.environ[ORDER]))
    try:
        prepared = _prepare(order, folder)
    except StepFailed as failed:
        _end(" ".join(f"{failed.message} {failed.fix}".split()))
    else:
        _become_the_server(order, folder, prepared)


def _prepare(order: Order, folder: ServerFolder) -> Prepared:
    """Raises StepFailed."""
    for path in (folder.path, folder.home, folder.scratch):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    brought = Path(os.environ.get(MODEL_FOLDER, BROUGHT_BY_KSERVE)).resolve()
    found = digest_of(brought, model_files(brought))
    if found != order.digest:
        raise StepFailed(
            FailureKind.DIGEST,
            f"The model in the artifact store was changed after it had been deployed: its digest is {found}, and must "
            f"be {order.digest}. It is not served.",
            fix="Find out who writes to the artifact store, then train again with `/train --force`.",
        )
    folder.model.unlink(missing_ok=True)
    folder.model.symlink_to(brought)
    prepared = prepare(order, folder, _say)
    folder.write("order.json", order.as_json())
    return prepared


def _become_the_server(order: Order, folder: ServerFolder, prepared: Prepared) -> None:
    listening = socket.create_server(("", int(os.environ.get("PORT") or PORT)), backlog=BACKLOG)
    listening.set_inheritable(True)
    _say("Loading the model.")
    os.chdir(prepared.code or folder.path)
    command = [str(prepared.python), str(PROGRAM), str(folder.path), str(listening.fileno())]
    os.execve(command[0], command, server_environment(order, folder, prepared))  # noqa: S606 - no shell is wanted


def _say(words: str) -> None:
    print(Masker()(words), file=sys.stderr, flush=True)  # noqa: T201 - a pod's log


def _end(words: str) -> None:
    _say(words)
    if TERMINATION_MESSAGE.exists():
        TERMINATION_MESSAGE.write_text(Masker()(words)[:4000], encoding="utf-8")
    sys.exit(NOT_PREPARED)


if __name__ == "__main__":
    main()
