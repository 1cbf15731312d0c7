"""What reaches the artifact store, lent by the service to steps of ours: in this process alone.

Neither the model's own code nor what it can steer (git, uv, DVC) is given it. On a cluster a pod has credentials of its
own, and nothing is lent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

NAMES = "MLOPS_BOT_STORE_ENV"  # the names of the variables that were lent, with commas between
FILE = "MLOPS_BOT_STORE_ENV_FILE"  # JSON: names and values, for a process that is started and not forked
_SECRET = ("KEY", "SECRET", "TOKEN", "PASSW", "CREDENTIAL", "CONNECTION_STRING", "SAS")
_PLACE = ("FILE", "_URI", "PATH", "ENDPOINT")  # where a secret is, is none
_SHORTEST = 6  # shorter ones would blank out ordinary words


def take() -> None:
    """From the file, which is taken off the disk, into this process's own variables, which other processes of the
    user can not read: the kernel shows them those that a process was started with."""
    name = os.environ.pop(FILE, "")
    if not name or not Path(name).exists():
        return
    given: dict[str, str] = json.loads(Path(name).read_text(encoding="utf-8"))
    Path(name).unlink()
    os.environ.update({**given, NAMES: ",".join(given)})


def lent_names() -> frozenset[str]:
    return frozenset(name for name in os.environ.get(NAMES, "").split(",") if name)


def without_lent(environment: Mapping[str, str]) -> dict[str, str]:
    lent = {*lent_names(), NAMES, FILE}
    return {name: value for name, value in environment.items() if name not in lent}


def secret_values(environment: Mapping[str, str], names: frozenset[str]) -> list[str]:
    """Those that must never be written; a region or a file's path is no secret."""
    return [environment[name] for name in names if _is_secret(name) and len(environment.get(name, "")) >= _SHORTEST]


def _is_secret(name: str) -> bool:
    upper = name.upper()
    return any(word in upper for word in _SECRET) and not any(word in upper for word in _PLACE)
