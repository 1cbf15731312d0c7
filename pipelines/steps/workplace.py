"""Where a step works: folders of its own, and what the engine tells it through the environment."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.steps import store_environment
from pipelines.steps.failure import FailureKind

CACHE = "MLOPS_BOT_CACHE"  # shared by runs: data, environments
WORKDIR = "MLOPS_BOT_WORKDIR"  # the scratch folder of this run
SECRET_PREFIX = "MLOPS_BOT_SECRET_"  # noqa: S105 - a name, not a secret
STOP_FILE = "stop.json"  # below WORKDIR
STOP_LIMIT_BYTES = 10_000
CALLBACK_TOKEN = "MLOPS_BOT_CALLBACK_TOKEN"  # noqa: S105 - a name, not a secret


def scratch(step: str) -> Path:
    """A new, empty folder for this step."""
    base = os.environ.get(WORKDIR)
    if not base:
        return Path(tempfile.mkdtemp(prefix=f"mlops-{step}-"))
    folder = Path(base).resolve() / step
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def is_local() -> bool:
    """Whether the step is a process on the bot's machine, and not a container that has the model's own image."""
    return bool(os.environ.get(WORKDIR))


@dataclass(frozen=True, slots=True)
class Stop:
    """That the engine ended the run before its time, and why."""

    kind: FailureKind
    reason: str


def stop() -> Stop | None:
    """What the local engine left in the run's scratch folder. The model's code could write there, too: whatever can
    not be read is taken for nothing, and it counts only for runs that have not succeeded."""
    base = os.environ.get(WORKDIR)
    path = Path(base) / STOP_FILE if base else None
    if path is None or path.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        content = file.read(STOP_LIMIT_BYTES)
    try:
        fields = json.loads(content)
        kind, reason = FailureKind(fields["kind"]), fields["reason"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    if not isinstance(reason, str) or (not reason and kind is not FailureKind.CANCELED):
        return None
    return Stop(kind, reason)


def show_progress(step: str, content: bytes, prefix: str) -> None:
    """Beside the scratch folder, where the engine of this machine looks when the run's prefix is elsewhere."""
    base = os.environ.get(WORKDIR)
    if not base or prefix.startswith("file:"):
        return
    target = Path(base).with_name("steps") / f"{step}.json"
    target.parent.mkdir(exist_ok=True)
    draft = target.with_name(f".{target.name}")
    draft.write_bytes(content)
    draft.replace(target)


def cache() -> Path:
    """Without one the run keeps nothing for later runs: on a cluster each step's container starts empty."""
    configured = os.environ.get(CACHE)
    folder = Path(configured) if configured else Path(tempfile.gettempdir()) / "mlops-bot-cache"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def secret_values(names: Iterable[str]) -> dict[str, str]:
    """The declared secrets that the engine was allowed to give."""
    return {name: os.environ[SECRET_PREFIX + name] for name in names if SECRET_PREFIX + name in os.environ}


def all_secret_values() -> list[str]:
    """Everything that must never be written: declared secrets, the callback token, and what the service lent."""
    own = [value for name, value in os.environ.items() if name.startswith(SECRET_PREFIX) or name == CALLBACK_TOKEN]
    return [*own, *store_environment.secret_values(os.environ, store_environment.lent_names())]


def kept(environment: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    return {name: environment[name] for name in names if name in environment}
