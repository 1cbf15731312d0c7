"""The whole service."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from bot.forges.plain.api import PlainForge
from bot.mirror import GitMirror
from bot.ports.store import Kind
from bot.registry import GitRegistry
from bot.settings import Settings
from bot.store import SqlPlainRecords, SqlStore, open_store
from bot.usecases import deliveries, feedback_loop, repository_loop, reruns, run_loop
from bot.usecases.deployments import loop as deployment_loop
from bot.usecases.deployments import versions as version_loop
from bot.usecases.deployments.serving import heal
from bot.usecases.prune import prune_by_policy
from bot.usecases.world import World
from bot.wiring.engines import ServiceEngine, make_engine
from bot.wiring.forges import Credentials, redelivery_chores, remote_forges
from bot.wiring.leftovers import leftovers
from bot.wiring.serving import ServiceServing, make_serving
from bot.wiring.shared import RUN_FOLDERS_KEPT_DAYS, Hints, make_lane, make_world, utc_now
from bot.worker import Chore, Lane, Worker

WATCH_EVERY_S = 15.0
HEAL_EVERY_S = 15.0
PRUNE_EVERY_S = 3600.0
DELIVERY_ATTEMPTS = 20  # about an hour; those of the same repository wait behind it
REMOTE_DELIVERY_THREADS = 4  # they wait for networks; on this machine one does, and leaves the core to the receiver
DELIVERIES_KEPT_DAYS = 7  # GitHub keeps its own for 3 days, for redelivery


@dataclass(frozen=True, slots=True)
class Bot:
    """The whole service, built but not started."""

    settings: Settings
    world: World
    worker: Worker
    store: SqlStore
    records: SqlPlainRecords
    plain: PlainForge
    engine: ServiceEngine
    git: GitMirror
    serving: ServiceServing

    def comment(self, repository: str, number: int, author: str, body: str) -> str:
        """Write a comment on plain git, where the bot itself keeps them, and let it be read."""
        delivery = self.plain.say(repository, number, author, body)
        self.store.add_deliveries([delivery])
        return delivery.id

    def rerun(self, run_id: str, by: str) -> str:
        """Gives the new run's id."""
        return reruns.rerun(run_id, by=by, trigger=f"page:{secrets.token_hex(8)}", world=self.world)

    def cancel(self, run_id: str, by: str) -> None:
        reruns.cancel(run_id, by=by, world=self.world)

    def start(self) -> None:
        """Watch what is there, find again what was running, and begin to converge."""
        self.engine.start()
        self.serving.start()
        repository_loop.watch_forge(self.plain, self.world)  # the others are asked by the first chore, over a network
        repository_loop.compare_soon(self.world)
        self.worker.start()

    def stop(self) -> None:
        """Runs go on and models serve on; the next start finds them."""
        self.worker.stop()
        self.engine.close()
        self.serving.close()
        self.git.close()
        self.store.close()


def build(settings: Settings) -> Bot:
    store = open_store(settings.database_url)
    records = SqlPlainRecords(store.database)
    credentials = Credentials()
    git = GitMirror(
        settings.home,
        allow_local=True,
        credentials=credentials.of,
        push_credentials=credentials.for_push,
        http_origins=settings.forges_without_tls,
    )
    plain = PlainForge(
        settings.home / "repositories",
        home=settings.home,
        records=records,
        git=git,
        hook_secret=settings.hook_secret,
        clock=utc_now,
    )
    hints = Hints()
    engine = make_engine(settings, on_change=hints.run_changed)
    serving = make_serving(settings, git, credential_of=credentials.of)
    forges = {plain.name: plain, **remote_forges(settings, git)}
    credentials.forges = forges
    world = make_world(
        settings,
        store,
        engine,
        git,
        forges=forges,
        artifacts_url=settings.artifacts_url,
        credential_of=credentials.of,
        registry=GitRegistry(git),
        serving=serving,
        leftovers=leftovers(settings.home / "cache", engine, serving),
    )
    worker = Worker(
        store, _lanes(world), utc_now, chores=[*_chores(world, store, engine, serving), *redelivery_chores(forges)]
    )
    store.on_commit_due = worker.wake
    hints.world = world
    return Bot(settings, world, worker, store, records, plain, engine, git, serving)


def _lanes(world: World) -> list[Lane]:
    return [
        make_lane(
            Kind.DELIVERY,
            deliveries.delivery_tasks,
            deliveries.give_up,
            world,
            threads=1 if len(world.forges) == 1 else REMOTE_DELIVERY_THREADS,
            batch=8,
            patience=DELIVERY_ATTEMPTS,
        ),
        make_lane(Kind.RUN, run_loop.run_tasks, run_loop.give_up, world, threads=2, batch=50),
        make_lane(Kind.VERSION, version_loop.version_tasks, version_loop.give_up, world, threads=1, batch=8),
        make_lane(
            Kind.DEPLOYMENT, deployment_loop.deployment_tasks, deployment_loop.give_up, world, threads=1, batch=8
        ),
        make_lane(Kind.FEEDBACK, feedback_loop.feedback_tasks, feedback_loop.give_up, world, threads=2, batch=8),
        make_lane(
            Kind.REPOSITORY, repository_loop.repository_tasks, repository_loop.give_up, world, threads=1, batch=4
        ),
    ]


def _chores(world: World, store: SqlStore, engine: ServiceEngine, serving: ServiceServing) -> list[Chore]:
    return [
        Chore("watch_repositories", WATCH_EVERY_S, lambda: repository_loop.watch_all(world), at_start=True),
        Chore("prune_run_folders", PRUNE_EVERY_S, lambda: engine.prune(timedelta(days=RUN_FOLDERS_KEPT_DAYS))),
        Chore("prune_servers", PRUNE_EVERY_S, lambda: serving.prune(timedelta(days=RUN_FOLDERS_KEPT_DAYS))),
        Chore("prune", PRUNE_EVERY_S, lambda: prune_by_policy(world)),
        Chore("heal_serving", HEAL_EVERY_S, lambda: heal(world)),
        Chore("wake_queue", WATCH_EVERY_S, lambda: run_loop.wake_queue(world)),
        Chore(
            "purge_deliveries",
            PRUNE_EVERY_S,
            lambda: store.purge_deliveries(older_than=utc_now() - timedelta(days=DELIVERIES_KEPT_DAYS)),
        ),
    ]
