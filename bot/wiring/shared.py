"""What the service and a run of a working tree are both built from."""

from __future__ import annotations

import hmac
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial

import pipelines
from bot import logs
from bot.artifacts import open_artifacts
from bot.domain.feedback import Subject
from bot.domain.links import Links
from bot.engines import lent_environment
from bot.mirror import GitMirror
from bot.policies import Policies
from bot.ports.engine import Engine
from bot.ports.forge import Forge, GitCredential
from bot.ports.registry import Registry
from bot.ports.serving import Serving
from bot.ports.store import Claim, Kind
from bot.settings import Settings
from bot.store import SqlStore
from bot.usecases.world import World
from bot.wiring.leftovers import Clear
from bot.worker import PATIENT_ATTEMPTS, Lane

RUN_FOLDERS_KEPT_DAYS = 7  # the engine's own; what a run gave lies in the artifact store


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_world(
    settings: Settings,
    store: SqlStore,
    engine: Engine,
    git: GitMirror,
    *,
    forges: Mapping[str, Forge],
    artifacts_url: str,
    listens: bool = True,
    credential_of: Callable[[str], GitCredential | None] = lambda _address: None,
    registry: Registry | None = None,
    serving: Serving | None = None,
    leftovers: Mapping[str, Clear] | None = None,
) -> World:
    policies = open_policies(settings)
    return World(
        clock=utc_now,
        store=store,
        forges=forges,
        engine=engine,
        artifacts=open_artifacts(artifacts_url),
        git=git,
        links=Links(settings.base_url, plot_secret=settings.callback_secret),
        callback_links=Links(settings.steps_url) if listens else None,
        callback_token=partial(_callback_token, settings.callback_secret),
        secrets_of=policies.secrets_of,
        credential_of=credential_of,
        pipeline_versions={name: pipelines.version(name) for name in pipelines.NAMES},
        admission=threading.Lock(),
        turn_of=turns(row_locks(), store),
        registry=registry,
        serving=serving,
        policy_of=policies.of,
        check_policy=policies.check if settings.policy_file is not None else None,
        retention=policies.retention,
        leftovers=leftovers or {},
    )


def lent_to_steps(settings: Settings, artifacts_url: str) -> dict[str, str]:
    """Of this process's environment; from now on its secrets are masked."""
    variables = lent_environment.lent(artifacts_url, settings.step_names, os.environ)
    logs.mask_also(lent_environment.secret_values(variables))
    return variables


def open_policies(settings: Settings) -> Policies:
    """Raises UserError with all that is wrong with the policy file."""
    return Policies(settings.policy_file, environ=os.environ, on_secrets=logs.mask_also)


def turns(locks: Callable[[str], threading.Lock], store: SqlStore) -> Callable[[str], AbstractContextManager[None]]:
    """One thread at a time in this process, and one process at a time where several share a database."""

    @contextmanager
    def turn_of(name: str) -> Iterator[None]:
        with locks(name), store.turn(name):
            yield

    return turn_of


def row_locks() -> Callable[[str], threading.Lock]:
    """A lock for each name; some names share one."""
    locks = [threading.Lock() for _ in range(64)]
    return lambda name: locks[hash(name) % len(locks)]


class Hints:
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


def make_lane(
    kind: Kind,
    tasks: Callable[[Sequence[Claim], World], list[Callable[[], None]]],
    give_up: Callable[[Claim, str, World], None],
    world: World,
    *,
    threads: int,
    batch: int,
    patience: int = PATIENT_ATTEMPTS,
) -> Lane:
    return Lane(
        kind,
        tasks=lambda claims: tasks(claims, world),
        give_up=lambda claim, error: give_up(claim, error, world),
        threads=threads,
        batch=batch,
        patience=patience,
    )
