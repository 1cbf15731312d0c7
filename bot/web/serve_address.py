"""`/serve/<environment>/<model>/v2/…`: what of it leads to a model server, and which one of its revisions answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.ports.serving import Backend

_NAME = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"  # as `mlops.yaml` allows
_SEGMENT = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~:@+=,-]+"
# Nothing that a server could take for another path: no `..`, no `//`, no escapes. `/v2/repository/…` would let a caller
# load and unload models (KServe, "Model Repository API").
_ADDRESS = re.compile(
    rf"/serve/(?P<environment>{_NAME})/(?P<model>{_NAME})(?P<target>/v[12](?!/repository(?:/|\Z))(?:/{_SEGMENT})*/?)"
)
_QUERY = re.compile(rb"[!-~]*")


@dataclass(frozen=True, slots=True)
class Address:
    """`target` is what the model server is asked for: its path, and the query if there is one."""

    environment: str
    model: str
    target: str

    @property
    def prefix(self) -> str:
        return f"/serve/{self.environment}/{self.model}"


def read_address(path: str, query: bytes) -> Address | None:
    """None for what does not pass. `path` comes with its escapes resolved, and passes only if it needs none."""
    match = _ADDRESS.fullmatch(path)
    if match is None or not _QUERY.fullmatch(query):
        return None
    target = match["target"] + (f"?{query.decode('ascii')}" if query else "")
    return Address(match["environment"], match["model"], target)


def choose(backends: Sequence[Backend], *, at: float, avoiding: str = "") -> Backend | None:
    """By percent: `at`, from 0 to 1, is where in their sum. `avoiding` names a revision that is taken only if no other
    takes requests. None when none does: 0 percent is for what is kept warm, or not tested yet."""
    taking = [backend for backend in backends if backend.percent > 0]
    others = [backend for backend in taking if backend.revision_id != avoiding] or taking
    mark = at * sum(backend.percent for backend in others)
    for backend in others:
        mark -= backend.percent
        if mark < 0:
            return backend
    return others[-1] if others else None
