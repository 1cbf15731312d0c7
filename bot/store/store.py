"""The store: every method is one short transaction; the SQL stands in the module of its concern."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import text

from bot.domain.approval import Approval
from bot.domain.change import Change, ChangeState, Delivery, Repository
from bot.domain.deployment import Deployment, DeploymentPhase
from bot.domain.feedback import LedgerEntry, Reply, SubjectFeedback, Waiver
from bot.domain.run import Run
from bot.domain.version import Assignment, Version
from bot.ports.store import Claim, Kind
from bot.store import changes, deployments, feedback, inbox, ledger, rows, runs, versions
from bot.store.database import Database, connect
from bot.store.hints import Hints
from bot.store.migrate import migrate
from bot.store.replicas import held
from bot.store.tables import CHANGES
from bot.store.transaction import SqlTransaction


def open_store(url: str, *, exclusive: bool = True) -> SqlStore:
    """Opens the database, made or brought up to date where needed.

    Of SQLite, `exclusive` keeps other processes out until `close` and ends the leases that a killed process left;
    PostgreSQL serves any number of replicas. Raises UserError for an address that can not work, a file that is in use,
    or a database of a newer bot; TransientError when the database can not be reached.
    """
    database = connect(url, exclusive=exclusive)
    try:
        migrate(database)
        if exclusive and not database.is_postgresql:
            with database.write() as connection:
                rows.end_all_leases(connection)
    except BaseException:
        database.close()
        raise
    return SqlStore(database)


class SqlStore:
    """`on_commit_due` is called after a commit that made rows of a kind due, in the thread that wrote: a hint that
    saves waiting, never the only way to learn of them. Settling a delivery gives the hint too, for the next one of its
    order; settling other rows does not: whoever settled reads `next_due_at` anyway."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.on_commit_due: Callable[[Kind], None] | None = None
        self._hints = Hints(database, self._due)

    def listen(self) -> None:
        """Give `on_commit_due` also what other replicas made due, from a thread that `close` ends."""
        self._hints.listen()

    # -- the inbox

    def add_deliveries(self, deliveries: Sequence[Delivery]) -> list[bool]:
        with self.database.write(urgent=True) as connection:  # somebody waits for the answer
            added = inbox.add(connection, deliveries)
            due = [Kind.DELIVERY] if any(added) else []
            self._hints.send(connection, due)
        self._due(due)
        return added

    def delivery(self, delivery_id: str) -> Delivery | None:
        with self.database.read() as connection:
            return inbox.get(connection, delivery_id)

    def purge_deliveries(self, *, older_than: datetime) -> int:
        """Deletes the settled deliveries that were received before, in short transactions; gives their number."""
        total = 0
        while True:
            with self.database.write() as connection:
                deleted = inbox.purge(connection, older_than=older_than)
            total += deleted
            if deleted < inbox.PURGE_BATCH:
                return total

    # -- the loop

    def claim(self, kind: Kind, *, limit: int, lease_s: float, now: datetime) -> list[Claim]:
        with self.database.write() as connection:
            return rows.claim(connection, kind, limit=limit, lease_s=lease_s, now=now)

    def fail(self, claim: Claim, *, error: str, next_check_at: datetime | None) -> None:
        with self.database.write() as connection:
            rows.fail(connection, claim, error=error, next_check_at=next_check_at)
            due = {Kind.DELIVERY} & {claim.kind}
            self._hints.send(connection, due)
        self._due(due)

    def next_due_at(self, kind: Kind) -> datetime | None:
        with self.database.read() as connection:
            return rows.next_due_at(connection, kind)

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        with self.database.write() as connection:
            transaction = SqlTransaction(connection)
            yield transaction
            self._hints.send(connection, transaction.made_due)
        self._due(transaction.made_due)

    def _due(self, kinds: Iterable[Kind]) -> None:
        if self.on_commit_due:
            for kind in kinds:
                self.on_commit_due(kind)

    # -- reading

    def repository(self, key: str) -> Repository | None:
        with self.database.read() as connection:
            return changes.get_repository(connection, key)

    def watched_since(self, key: str) -> datetime | None:
        with self.database.read() as connection:
            return changes.watched_since(connection, key)

    def repositories(self) -> list[Repository]:
        with self.database.read() as connection:
            return changes.repositories(connection)

    def heads(self, repository: str) -> dict[str, str]:
        with self.database.read() as connection:
            return changes.heads(connection, repository)

    def change(self, repository: str, number: int) -> Change | None:
        with self.database.read() as connection:
            return changes.get_change(connection, CHANGES, repository, number)

    def changes(self, repository: str, *, state: ChangeState | None = None, limit: int = 100) -> list[Change]:
        with self.database.read() as connection:
            return changes.changes(connection, repository, state=state, limit=limit)

    def run(self, run_id: str) -> Run | None:
        with self.database.read() as connection:
            return runs.get(connection, run_id)

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
        with self.database.read() as connection:
            return runs.find(
                connection, repository=repository, number=number, branch=branch, model=model, active=active, limit=limit
            )

    def succeeded_run(self, run_key: str) -> Run | None:
        with self.database.read() as connection:
            return runs.succeeded(connection, run_key)

    def newest_result(self, repository: str, *, branch: str, model: str) -> Run | None:
        with self.database.read() as connection:
            return runs.newest_result(connection, repository, branch=branch, model=model)

    def queue_position(self, run_id: str) -> int | None:
        with self.database.read() as connection:
            return runs.queue_position(connection, run_id)

    def queued_equals(self, run_key: str) -> list[str]:
        with self.database.read() as connection:
            return runs.queued_equals(connection, run_key)

    def started_run_ids(self) -> list[str]:
        with self.database.read() as connection:
            return runs.started_ids(connection)

    def is_started(self, run_key: str) -> bool:
        with self.database.read() as connection:
            return runs.is_started(connection, run_key)

    def oldest_queued(self, *, limit: int) -> list[str]:
        with self.database.read() as connection:
            return runs.oldest_queued(connection, limit)

    def version(self, version_id: str) -> Version | None:
        with self.database.read() as connection:
            return versions.get(connection, version_id)

    def versions(self, *, repository: str | None = None, model: str | None = None, limit: int = 1000) -> list[Version]:
        with self.database.read() as connection:
            return versions.find(connection, repository=repository, model=model, limit=limit)

    def assignments(
        self,
        *,
        repository: str | None = None,
        model: str | None = None,
        environment: str | None = None,
        limit: int = 1000,
    ) -> list[Assignment]:
        with self.database.read() as connection:
            return versions.assignments(
                connection, repository=repository, model=model, environment=environment, limit=limit
            )

    def deployment(self, deployment_id: str) -> Deployment | None:
        with self.database.read() as connection:
            return deployments.get(connection, deployment_id)

    def deployment_of_run(self, run_id: str) -> Deployment | None:
        with self.database.read() as connection:
            return deployments.of_pipeline_run(connection, run_id)

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
        with self.database.read() as connection:
            return deployments.find(
                connection,
                repository=repository,
                model=model,
                environment=environment,
                number=number,
                active=active,
                phase=phase,
                limit=limit,
            )

    def place_in_line(self, deployment: Deployment) -> int:
        with self.database.read() as connection:
            return deployments.place_in_line(connection, deployment)

    def approvals(self, deployment_id: str) -> list[Approval]:
        with self.database.read() as connection:
            return deployments.approvals(connection, deployment_id)

    def feedback(self, row_id: str) -> SubjectFeedback | None:
        with self.database.read() as connection:
            return feedback.get(connection, row_id)

    def reply(self, row_id: str) -> Reply | None:
        with self.database.read() as connection:
            return feedback.get_reply(connection, row_id)

    def waivers(self, repository: str, number: int, *, now: datetime) -> list[Waiver]:
        with self.database.read() as connection:
            return ledger.waivers(connection, repository, number, now)

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
        about = ledger.About(repository, model, environment)
        with self.database.read() as connection:
            return ledger.entries(connection, about, before=before, since=since, limit=limit)

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        """Held by one replica at a time; raises TransientError while it is another one's."""
        with held(self.database, name):
            yield

    # -- health

    def overdue_s(self, *, now: datetime) -> float:
        with self.database.read() as connection:
            found = [rows.oldest_due_at(connection, kind, now) for kind in Kind]
        return max(((now - moment).total_seconds() for moment in found if moment is not None), default=0.0)

    def counts(self) -> dict[str, int]:
        with self.database.read() as connection:
            return {
                **inbox.counts(connection),
                **runs.counts(connection),
                **versions.counts(connection),
                **deployments.counts(connection),
                **feedback.counts(connection),
                **changes.repository_counts(connection),
            }

    def ping(self) -> None:
        with self.database.read() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self._hints.stop()
        self.database.close()
