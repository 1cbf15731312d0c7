"""Serving: where models answer. A local supervisor of model servers, or KServe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.serving import DesiredService, ObservedService, Traffic


class Serving(Protocol):
    """Every call returns soon: serving is told what is desired, and converges by itself. Raises TransientError."""

    name: str

    def apply(self, desired: DesiredService) -> None:
        """What is to serve from now on, in place of what was desired before; durable when this returns. Revisions that
        are no longer named are ended once the requests that they are answering have been answered."""

    def desired(self, environment: str, model: str) -> DesiredService | None: ...

    def observe(self, environment: str, model: str) -> ObservedService: ...

    def services(self) -> Sequence[DesiredService]:
        """All that is desired."""

    def traffic(self, environment: str, model: str, revision_id: str) -> Traffic: ...

    def remove(self, environment: str, model: str) -> None: ...

    def check_health(self) -> None:
        """Raises TransientError with the reason."""

    def close(self) -> None:
        """Let go without ending what serves: it is found again."""


@dataclass(frozen=True, slots=True)
class Backend:
    """`address` is `http://127.0.0.1:<port>`; only what is ready is a backend. `percent` is its share of requests.
    `revision_id` names the revision in its place, as one version may serve in several: `staging/churn/v1.3.0-…`."""

    revision_id: str
    address: str
    percent: int


class Routes(Protocol):
    """What our proxy asks where models have no public addresses of their own. In memory, never any I/O."""

    def backends(self, environment: str, model: str) -> Sequence[Backend] | None:
        """None when nothing of this name is desired; empty while nothing of it is ready."""

    def entered(self, revision_id: str) -> None:
        """A request was handed to a revision, which is not ended before it has left."""

    def left(self, revision_id: str, *, status: int | None, elapsed_s: float) -> None:
        """Its answer ended; `status` None when there was none."""
