"""What a decision wants stored: gathered as a value, then written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from bot.domain.approval import Approval
from bot.domain.change import Change, Repository
from bot.domain.deployment import Deployment
from bot.domain.feedback import LedgerEntry, Notice, Reply, Subject, SubjectFeedback, Waiver
from bot.domain.run import Run
from bot.domain.version import Version, VersionPhase
from bot.ports.store import Kind, Overtaken, Transaction


@dataclass(frozen=True, slots=True)
class Cancel:
    run_id: str
    by: str
    superseded_by: str | None = None


@dataclass(slots=True)
class Writes:
    """Safe to apply twice: rows are found again by ids that follow from what they stand for.

    What is expected is what the decision was made on; when that is not so any more, nothing is written.
    """

    repositories: list[Repository] = field(default_factory=list)
    expected_heads: list[tuple[str, str, str | None]] = field(default_factory=list)
    expected_changes: list[tuple[str, int, Change | None]] = field(default_factory=list)
    heads: list[tuple[str, str, str | None]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    subjects: list[SubjectFeedback] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    waivers: list[Waiver] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    woken_feedback: list[str] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    wanted_again: list[Version] = field(default_factory=list)  # of which the registration failed, or whose tag is gone
    deployments: list[Deployment] = field(default_factory=list)
    ended_deployments: list[Deployment] = field(default_factory=list)  # rows that nobody converges any more
    canceled_deployments: list[tuple[str, str]] = field(default_factory=list)  # id, and who asked
    approvals: list[Approval] = field(default_factory=list)
    woken_deployments: list[str] = field(default_factory=list)

    def show(self, subject: Subject, notice: Notice | None = None) -> None:
        self.subjects.append(SubjectFeedback(subject=subject, notice=notice))


def apply(writes: Writes, tx: Transaction, *, now: datetime) -> None:
    """Raises Overtaken when somebody else has handled the same thing meanwhile."""
    _apply_sightings(writes, tx, now)
    _apply_work(writes, tx, now)
    _apply_deployments(writes, tx, now)
    _apply_feedback(writes, tx, now)


def _apply_sightings(writes: Writes, tx: Transaction, now: datetime) -> None:
    for repository_key, branch, sha in writes.expected_heads:
        tx.expect_head(repository_key, branch, sha)
    for repository_key, number, known in writes.expected_changes:
        tx.expect_change(repository_key, number, known)
    for repository in writes.repositories:
        tx.add_repository(repository, now=now)
    for repository_key, branch, sha in writes.heads:
        tx.save_head(repository_key, branch, sha)
    for change in writes.changes:
        tx.save_change(change)


def _apply_work(writes: Writes, tx: Transaction, now: datetime) -> None:
    for cancel in writes.cancels:
        tx.request_cancel(cancel.run_id, by=cancel.by, superseded_by=cancel.superseded_by, now=now)
    for run in writes.runs:
        tx.add_run(run, now=now)
    for waiver in writes.waivers:
        tx.add_waiver(waiver)
    for entry in writes.ledger:
        tx.append_ledger(entry)


def _apply_deployments(writes: Writes, tx: Transaction, now: datetime) -> None:
    for version in writes.versions:
        tx.add_version(version, now=now)
    for version in writes.wanted_again:
        tx.save_version(replace(version, phase=VersionPhase.WANTED, problem=""))
        tx.wake(Kind.VERSION, version.id, now=now)
    for deployment in writes.deployments:
        tx.add_deployment(deployment, now=now)
    for deployment in writes.ended_deployments:
        tx.save_deployment(deployment)
        subject = Subject(deployment.repository, deployment.number, deployment.branch, deployment.sha)
        tx.wake(Kind.FEEDBACK, subject.id, now=now)  # a check must not go on saying that it is live
    for deployment_id, by in writes.canceled_deployments:
        tx.request_deployment_cancel(deployment_id, by=by, now=now)
    for approval in writes.approvals:
        tx.add_approval(approval)
    for deployment_id in writes.woken_deployments:
        tx.wake(Kind.DEPLOYMENT, deployment_id, now=now)


def _apply_feedback(writes: Writes, tx: Transaction, now: datetime) -> None:
    for subject in writes.subjects:
        tx.show(subject, now=now)
    for reply in writes.replies:
        if not tx.add_reply(reply, now=now):
            raise Overtaken(f"{reply.id} was given already")
    for row_id in writes.woken_feedback:
        tx.wake(Kind.FEEDBACK, row_id, now=now)
