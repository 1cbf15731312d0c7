"""The artifact store: each run's own prefix, `<artifacts>/runs/<run id>/`.

What is there, besides what the steps of the model wrote:
`result.json`; `steps/<step>.json` (state of a step, written when it begins and ends); `logs/<step>.log` (grows while
the step runs); `model/`; `plots/`; `metrics.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Artifacts(Protocol):
    def prefix(self, run_id: str) -> str:
        """The address that a pipeline is given, for example `file:///…/runs/run-1a2b`."""

    def read(self, run_id: str, path: str, *, limit_bytes: int) -> bytes | None:
        """A file's first `limit_bytes`; None when it is not there. A path that leaves the prefix is a ValueError."""

    def read_from(self, run_id: str, path: str, *, offset: int, limit_bytes: int) -> bytes:
        """A slice of a growing file; empty when there is nothing (yet)."""

    def files(self, run_id: str) -> Sequence[tuple[str, int]]:
        """Relative path and size of every file below the prefix, sorted."""

    def write(self, run_id: str, path: str, content: bytes) -> None: ...

    def run_ids(self) -> Sequence[str]:
        """Of all runs that left something, sorted; what is no run's is among them when somebody put it there."""

    def remove(self, run_id: str) -> int:
        """Take away all that a run left, `result.json` first, so that it is not reused while the rest goes. Gives how
        many bytes that were; 0 when nothing is there."""

    def check_health(self) -> None:
        """A quick look, for probes. Raises TransientError with the reason."""

    def check_access(self) -> str:
        """Tries all that runs need, with a small file that is taken away again; gives a few words. Raises
        TransientError with what is not permitted."""
