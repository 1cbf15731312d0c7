"""Writes that are stored together, or not at all."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy import Connection

from bot.domain.approval import Approval
from bot.domain.change import Change, Repository
from bot.domain.deployment import Deployment
from bot.domain.feedback import LedgerEntry, Reply, Shown, SubjectFeedback, Waiver
from bot.domain.run import Run
from bot.domain.version import Assignment, Version, VersionPhase
from bot.ports.store import Claim, Kind, LeaseLost, Overtaken
from bot.store import changes, deployments, ledger, rows, runs, versions
from bot.store import feedback as feedback_rows
from bot.store.columns import short_name
from bot.store.tables import CHANGES


class SqlTransaction:
    """`made_due` gathers the kinds of which rows became due, for a hint after the commit.

    A row's own writes here count its revision up too; `settle` must not take them for somebody else's.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._own_writes: Counter[tuple[Kind, str]] = Counter()
        self.made_due: set[Kind] = set()

    def settle(self, claim: Claim, *, next_check_at: datetime | None) -> None:
        own_writes = self._own_writes[claim.kind, claim.id]
        if not rows.settle(self._connection, claim, own_writes=own_writes, next_check_at=next_check_at):
            raise LeaseLost(f"{claim.kind} {claim.id} was written by somebody else")
        self._wrote(claim.kind, claim.id)
        if claim.kind is Kind.DELIVERY:
            self.made_due.add(Kind.DELIVERY)  # the next one of its order

    def _wrote(self, kind: Kind, row_id: str) -> None:
        self._own_writes[kind, short_name(row_id)] += 1

    def expect_head(self, repository: str, branch: str, sha: str | None) -> None:
        if short_name(branch) != branch:
            return  # too long a name to be read back: it is handled each time it is seen
        if changes.head_to_write(self._connection, repository, branch) != sha:
            raise Overtaken(f"{branch} of {repository} was handled by somebody else")

    def expect_change(self, repository: str, number: int, known: Change | None) -> None:
        if changes.change_to_write(self._connection, repository, number) != known:
            raise Overtaken(f"change {number} of {repository} was handled by somebody else")

    def add_repository(self, repository: Repository, *, now: datetime) -> None:
        is_new, was_changed = changes.add_repository(self._connection, repository, now)
        if was_changed:
            self._wrote(Kind.REPOSITORY, repository.key)
        if is_new:
            self.made_due.add(Kind.REPOSITORY)

    def save_head(self, repository: str, branch: str, sha: str | None) -> None:
        changes.save_head(self._connection, repository, branch, sha)

    def save_change(self, change: Change) -> None:
        changes.save_change(self._connection, CHANGES, change)

    def add_run(self, run: Run, *, now: datetime) -> bool:
        added = runs.add(self._connection, run, now)
        if added and not run.phase.is_final:
            self.made_due.add(Kind.RUN)
        return added

    def save_run(self, run: Run) -> None:
        runs.save(self._connection, run)
        self._wrote(Kind.RUN, run.id)

    def request_cancel(self, run_id: str, *, by: str, superseded_by: str | None, now: datetime) -> bool:
        asked = runs.request_cancel(self._connection, run_id, by=by, superseded_by=superseded_by, now=now)
        if asked:
            self._wrote(Kind.RUN, run_id)
            self.made_due.add(Kind.RUN)
        return asked

    def add_version(self, version: Version, *, now: datetime) -> bool:
        added = versions.add(self._connection, version, now)
        if added and version.phase is VersionPhase.WANTED:
            self.made_due.add(Kind.VERSION)
        return added

    def save_version(self, version: Version) -> None:
        versions.save(self._connection, version)
        self._wrote(Kind.VERSION, version.id)

    def save_assignment(self, assignment: Assignment) -> None:
        versions.save_assignment(self._connection, assignment)

    def remove_assignment(self, assignment: Assignment) -> None:
        versions.remove_assignment(self._connection, assignment)

    def add_deployment(self, deployment: Deployment, *, now: datetime) -> bool:
        added = deployments.add(self._connection, deployment, now)
        if added and deployment.phase.is_active:
            self.made_due.add(Kind.DEPLOYMENT)
        return added

    def save_deployment(self, deployment: Deployment) -> None:
        deployments.save(self._connection, deployment)
        self._wrote(Kind.DEPLOYMENT, deployment.id)

    def save_forge_shown(self, deployment_id: str, *, forge_id: str | None, digest: str) -> None:
        deployments.save_forge_shown(self._connection, deployment_id, forge_id=forge_id, digest=digest)

    def request_deployment_cancel(self, deployment_id: str, *, by: str, now: datetime) -> bool:
        asked = deployments.request_cancel(self._connection, deployment_id, by=by, now=now)
        if asked:
            self._wrote(Kind.DEPLOYMENT, deployment_id)
            self.made_due.add(Kind.DEPLOYMENT)
        return asked

    def add_approval(self, approval: Approval) -> bool:
        return deployments.add_approval(self._connection, approval)

    def show(self, feedback: SubjectFeedback, *, now: datetime) -> None:
        feedback_rows.show(self._connection, feedback, now)
        self._wrote(Kind.FEEDBACK, feedback.subject.id)
        self.made_due.add(Kind.FEEDBACK)

    def save_feedback(self, feedback: SubjectFeedback) -> None:
        feedback_rows.save(self._connection, feedback)
        self._wrote(Kind.FEEDBACK, feedback.subject.id)

    def save_shown(self, row_id: str, shown: Shown) -> None:
        feedback_rows.save_shown(self._connection, row_id, shown)

    def add_reply(self, reply: Reply, *, now: datetime) -> bool:
        added = feedback_rows.add_reply(self._connection, reply, now)
        if added:
            self.made_due.add(Kind.FEEDBACK)
        return added

    def save_reply(self, reply: Reply) -> None:
        feedback_rows.save_reply(self._connection, reply)
        self._wrote(Kind.FEEDBACK, reply.id)

    def add_waiver(self, waiver: Waiver) -> None:
        ledger.add_waiver(self._connection, waiver)

    def append_ledger(self, entry: LedgerEntry) -> None:
        ledger.append(self._connection, entry)

    def wake(self, kind: Kind, row_id: str, *, now: datetime) -> None:
        if rows.wake(self._connection, kind, row_id, now):
            self._wrote(kind, row_id)
            self.made_due.add(kind)
