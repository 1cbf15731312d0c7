"""The only place where objects are built. Owns the real clock."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import pipelines
from bot.artifacts import open_artifacts
from bot.domain.feedback import Subject
from bot.domain.links import Links
from bot.engines.local import LocalEngine
from bot.forges.plain.api import PlainForge
from bot.mirror import GitMirror
from bot.ports.store import Claim, Kind
from bot.settings import Settings
from bot.store import SqlPlainRecords, SqlStore, open_store
from bot.usecases import deliveries, feedback_loop, repository_loop, reruns, run_loop
from bot.usecases.world import World
from bot.worker import Chore, Lane, Worker

WATCH_EVERY_S = 15.0
PRUNE_EVERY_S = 3600.0
DELIVERIES_KEPT_DAYS = 7  # GitHub keeps its own for 3 days, for redelivery


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Bot:
    """The whole service, built but not started."""

    settings: Settings
    world: World
    worker: Worker
    store: SqlStore
    records: SqlPlainRecords
    plain: PlainForge
    engine: LocalEngine
    git: GitMirror

    def comment(self, repository: str, number: int, author: str, body: str) -> str:
        """Write a comment on plain git, where the bot itself keeps them, and let it be read."""
        delivery = self.plain.say(repository, number, author, body)
        self.store.add_deliveries([delivery])
        return delivery.id

    def rerun(self, run_id: str, by: str) -> None:
        reruns.rerun(run_id, by=by, trigger=f"page:{secrets.token_hex(8)}", world=self.world)

    def cancel(self, run_id: str, by: str) -> None:
        reruns.cancel(run_id, by=by, world=self.world)

    def start(self) -> None:
        """Watch what is there, find again what was running, and begin to converge."""
        self.engine.start()
        repository_loop.watch_all(self.world)
        self.worker.start()

    def stop(self) -> None:
        """Runs go on; the next start finds them."""
        self.worker.stop()
        self.engine.close()
        self.git.close()
        self.store.close()


def build(settings: Settings) -> Bot:
    store = open_store(settings.database_url)
    records = SqlPlainRecords(store.database)
    git = GitMirror(settings.home, allow_local=True)
    plain = PlainForge(
        settings.home / "repositories",
        home=settings.home,
        records=records,
        git=git,
        hook_secret=settings.hook_secret,
        clock=utc_now,
    )
    hints = _Hints()
    engine = LocalEngine(
        settings.home,
        places=settings.local_places,
        packages=pipelines.package_path("train").parent,
        clock=utc_now,
        on_change=hints.run_changed,
        cache=settings.home / "cache",
    )
    world = World(
        clock=utc_now,
        store=store,
        forges={plain.name: plain},
        engine=engine,
        artifacts=open_artifacts(settings.artifacts_url),
        git=git,
        links=Links(settings.base_url),
        callback_links=Links(settings.local_url),
        callback_token=partial(_callback_token, settings.callback_secret),
        secrets_of=lambda _repository, _names: {},
        pipeline_versions={name: pipelines.version(name) for name in pipelines.NAMES},
        admission=threading.Lock(),
    )
    worker = Worker(store, _lanes(world), utc_now, chores=_chores(world, store))
    store.on_commit_due = worker.wake
    hints.world = world
    return Bot(settings, world, worker, store, records, plain, engine, git)


class _Hints:
    """The engine says that a run moved: the row of the run and what is shown of it are looked at now."""

    world: World | None = None

    def run_changed(self, run_id: str) -> None:
        world = self.world
        run = world.store.run(run_id) if world is not None else None
        if world is None or run is None:
            return
        now = world.clock()
        subject = Subject(run.repository, run.number, run.branch, run.sha)
        with world.store.transaction() as tx:
            tx.wake(Kind.RUN, run_id, now=now)
            tx.wake(Kind.FEEDBACK, subject.id, now=now)


def _callback_token(secret: str, run_id: str) -> str:
    """Good for one run alone; nothing of it is stored."""
    return hmac.new(secret.encode(), f"callback\n{run_id}".encode(), "sha256").hexdigest()


def _lanes(world: World) -> list[Lane]:
    return [
        _lane(Kind.DELIVERY, deliveries.delivery_tasks, deliveries.give_up, world, threads=2, batch=8),
        _lane(Kind.RUN, run_loop.run_tasks, run_loop.give_up, world, threads=2, batch=50),
        _lane(Kind.FEEDBACK, feedback_loop.feedback_tasks, feedback_loop.give_up, world, threads=2, batch=8),
        _lane(Kind.REPOSITORY, repository_loop.repository_tasks, repository_loop.give_up, world, threads=1, batch=4),
    ]


def _lane(
    kind: Kind,
    tasks: Callable[[Sequence[Claim], World], list[Callable[[], None]]],
    give_up: Callable[[Claim, str, World], None],
    world: World,
    *,
    threads: int,
    batch: int,
) -> Lane:
    return Lane(
        kind,
        tasks=lambda claims: tasks(claims, world),
        give_up=lambda claim, error: give_up(claim, error, world),
        threads=threads,
        batch=batch,
    )


def _chores(world: World, store: SqlStore) -> list[Chore]:
    return [
        Chore("watch_repositories", WATCH_EVERY_S, lambda: repository_loop.watch_all(world)),
        Chore("wake_queue", WATCH_EVERY_S, lambda: run_loop.wake_queue(world)),
        Chore(
            "purge_deliveries",
            PRUNE_EVERY_S,
            lambda: store.purge_deliveries(older_than=utc_now() - timedelta(days=DELIVERIES_KEPT_DAYS)),
        ),
    ]
