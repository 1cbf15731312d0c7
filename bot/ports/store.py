"""The store: the inbox, the rows that the loop converges, and what the pages read.

Every write bumps the row's revision. A worker that claimed a row writes through `Transaction.settle`, which raises
`LeaseLost` when anybody else wrote the row meanwhile: the whole transaction is rolled back, and the row is looked at
again. So a wake-up is never lost and a late writer never wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from bot.domain.approval import Approval
from bot.domain.change import Change, ChangeState, Delivery, Repository
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.feedback import LedgerEntry, Reply, Shown, SubjectFeedback, Waiver
from bot.domain.run import Run
from bot.domain.version import Assignment, Version


class Kind(StrEnum):
    """The kinds of rows that are claimed and converged."""

    DELIVERY = "delivery"
    RUN = "run"
    VERSION = "version"
    DEPLOYMENT = "deployment"
    FEEDBACK = "feedback"  # ids begin with `subject:` or `reply:`
    REPOSITORY = "repository"


class LeaseLost(Exception):
    """Somebody else wrote the row since it was claimed."""


class Overtaken(Exception):
    """Somebody else handled the same thing since it was read: decide anew, on what is stored now."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to converge one row until the lease ends. `attempts` counts earlier failures in a row."""

    kind: Kind
    id: str
    revision: int
    attempts: int


class Transaction(Protocol):
    """Writes that are stored together, or not at all."""

    def settle(self, claim: Claim, *, next_check_at: datetime | None) -> None:
        """End a claim, before any other write of its row. None: the row needs no further look (until it is woken).
        Clears attempts and the last error."""

    def expect_head(self, repository: str, branch: str, sha: str | None) -> None:
        """Raises Overtaken unless this is the branch's newest handled sha (None: none is)."""

    def expect_change(self, repository: str, number: int, known: Change | None) -> None:
        """Raises Overtaken unless the change is stored exactly so (None: not at all)."""

    def add_repository(self, repository: Repository, *, now: datetime) -> None:
        """Insert, or update the address and default branch. A new row is due at once."""

    def save_head(self, repository: str, branch: str, sha: str | None) -> None:
        """Remember the newest sha of a branch that was handled; None forgets the branch."""

    def save_change(self, change: Change) -> None: ...

    def add_run(self, run: Run, *, now: datetime) -> bool:
        """Insert, due at once unless its phase is final. False when a run with its id is there already."""

    def save_run(self, run: Run) -> None:
        """Write everything but the cancel columns, which only `request_cancel` writes."""

    def request_cancel(self, run_id: str, *, by: str, superseded_by: str | None, now: datetime) -> bool:
        """Ask for an active run's end and wake it. False when it has ended, or was asked already."""

    def add_version(self, version: Version, *, now: datetime) -> bool:
        """Insert; due at once while it is WANTED. False when it is there already."""

    def save_version(self, version: Version) -> None: ...

    def save_assignment(self, assignment: Assignment) -> None:
        """Insert or replace the one of its place and serial."""

    def remove_assignment(self, assignment: Assignment) -> None: ...

    def add_deployment(self, deployment: Deployment, *, now: datetime) -> bool:
        """Insert, due at once while it is active. False when one with its id is there already."""

    def save_deployment(self, deployment: Deployment) -> None:
        """Write everything but `cancel_requested_by` and what the forge shows. Raises Overtaken for a second one that
        would hold the turn of its place."""

    def save_forge_shown(self, deployment_id: str, *, forge_id: str | None, digest: str) -> None:
        """Write what a deployment is known to be shown as, and nothing else: what was sent was sent."""

    def request_deployment_cancel(self, deployment_id: str, *, by: str, now: datetime) -> bool:
        """Ask for an active deployment's end and wake it. False when it has ended, or was asked already."""

    def add_approval(self, approval: Approval) -> bool:
        """False when the same source was stored already."""

    def show(self, feedback: SubjectFeedback, *, now: datetime) -> None:
        """Insert or update the subject and its notice, and wake it. Keeps what is known to be shown."""

    def save_feedback(self, feedback: SubjectFeedback) -> None:
        """Write what is shown now (and the rest) as given."""

    def save_shown(self, row_id: str, shown: Shown) -> None:
        """Write what is known to be shown, and nothing else: what was sent was sent, whoever holds the row now."""

    def add_reply(self, reply: Reply, *, now: datetime) -> bool: ...

    def save_reply(self, reply: Reply) -> None: ...

    def add_waiver(self, waiver: Waiver) -> None: ...

    def append_ledger(self, entry: LedgerEntry) -> None: ...

    def wake(self, kind: Kind, row_id: str, *, now: datetime) -> None:
        """Make a row due now; nothing happens when there is none."""


class Store(Protocol):
    """Thread-safe. Every method is one short transaction."""

    # -- the inbox
    def add_deliveries(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Store them in one transaction. False for each whose id was there already."""

    def delivery(self, delivery_id: str) -> Delivery | None: ...

    # -- the loop
    def claim(self, kind: Kind, *, limit: int, lease_s: float, now: datetime) -> list[Claim]:
        """Take due rows, the longest overdue first. Of deliveries with one order key only the oldest open is due."""

    def fail(self, claim: Claim, *, error: str, next_check_at: datetime | None) -> None:
        """Give a claim back after a failure: counts an attempt. Does nothing if the lease was lost."""

    def next_due_at(self, kind: Kind) -> datetime | None:
        """When the next row of this kind is due (leases included); None when none is planned."""

    def transaction(self) -> AbstractContextManager[Transaction]: ...

    # -- reading
    def repository(self, key: str) -> Repository | None: ...

    def watched_since(self, key: str) -> datetime | None:
        """When the repository was first added."""

    def repositories(self) -> list[Repository]: ...

    def heads(self, repository: str) -> dict[str, str]: ...

    def change(self, repository: str, number: int) -> Change | None: ...

    def changes(self, repository: str, *, state: ChangeState | None = None, limit: int = 100) -> list[Change]:
        """Newest first."""

    def run(self, run_id: str) -> Run | None: ...

    def runs(
        self,
        *,
        repository: str | None = None,
        number: int | None = None,
        branch: str | None = None,
        model: str | None = None,
        active: bool | None = None,
        limit: int = 100,
    ) -> list[Run]:
        """Newest request first, without those of the pipeline `deploy`. `number=None` does not filter; give `branch`
        for the runs of a branch itself, which have no change's number."""

    def succeeded_run(self, run_key: str) -> Run | None:
        """The newest succeeded run with this key."""

    def newest_result(self, repository: str, *, branch: str, model: str) -> Run | None:
        """The newest succeeded (or reused) run of a branch itself that has metrics: the incumbent `base`."""

    def queue_position(self, run_id: str) -> int | None:
        """1 for the run that starts next; None when it is not queued."""

    def queued_equals(self, run_key: str) -> list[str]:
        """Ids of the queued runs with this key, the oldest first."""

    def started_run_ids(self) -> list[str]:
        """Ids of runs that are starting or running, that is which take a place on the engine."""

    def is_started(self, run_key: str) -> bool:
        """Whether a run with this key is starting or running."""

    def oldest_queued(self, *, limit: int) -> list[str]: ...

    def version(self, version_id: str) -> Version | None: ...

    def versions(self, *, repository: str | None = None, model: str | None = None, limit: int = 1000) -> list[Version]:
        """Newest first, in whatever phase."""

    def assignments(
        self,
        *,
        repository: str | None = None,
        model: str | None = None,
        environment: str | None = None,
        limit: int = 1000,
    ) -> list[Assignment]:
        """Newest first."""

    def deployment(self, deployment_id: str) -> Deployment | None: ...

    def deployment_of_run(self, run_id: str) -> Deployment | None:
        """The deployment that a run of the pipeline `deploy` carries out."""

    def deployments(
        self,
        *,
        repository: str | None = None,
        model: str | None = None,
        environment: str | None = None,
        number: int | None = None,
        active: bool | None = None,
        phase: DeploymentPhase | None = None,
        limit: int = 100,
    ) -> list[Deployment]:
        """Newest request first."""

    def place_in_line(self, deployment: Deployment) -> int:
        """How many are before it on the way into the same place."""

    def approvals(self, deployment_id: str) -> list[Approval]:
        """Oldest first."""

    def feedback(self, row_id: str) -> SubjectFeedback | None: ...

    def reply(self, row_id: str) -> Reply | None: ...

    def waivers(self, repository: str, number: int, *, now: datetime) -> list[Waiver]:
        """Those that have not expired."""

    def ledger(
        self,
        *,
        repository: str | None = None,
        model: str | None = None,
        environment: str | None = None,
        before: int | None = None,
        since: int | None = None,
        limit: int = 100,
    ) -> list[LedgerEntry]:
        """Newest first, only those before the place `before`; with `since`, the oldest behind that place first (0 is
        before the first)."""

    # -- health
    def overdue_s(self, *, now: datetime) -> float:
        """Age of the oldest row that is due and not leased, in seconds; 0 when there is none."""

    def counts(self) -> dict[str, int]:
        """Rows by kind and phase, for metrics: `run/queued`, `delivery/open`, …"""

    def ping(self) -> None:
        """Raises TransientError when the database can not be reached."""

    def close(self) -> None: ...
