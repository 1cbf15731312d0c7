"""Serving on this machine: a supervisor in the service reconciles manifests to processes, one for each revision.

    service (this file, a thread) ──▶ keeper (pipelines/serving/launch.py) ──▶ model server (pipelines/serving/server)

What is desired lies in manifests, what is true of a server in its folder: a service that was killed finds both again.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from bot.domain.clock import Clock
from bot.domain.errors import TransientError
from bot.domain.masking import mask
from bot.domain.serving import (
    DesiredService,
    ObservedRevision,
    ObservedService,
    RevisionState,
    ServedRevision,
    Share,
    Traffic,
)
from bot.ports.forge import GitCredential
from bot.ports.serving import Backend
from bot.serving.desired import DesiredFolder, checked
from bot.serving.revision import LocalRevision, Place
from bot.serving.supervisor import Supervisor
from pipelines.serving.folder import ServerFolder
from pipelines.serving.order import Order

TAIL_LINES = 40
ENDING_PAUSE_S = 0.02
LOWEST_FREE_BYTES = 50_000_000

log = structlog.get_logger()


class LocalServing:
    """Thread-safe. `environment` is what keepers inherit, and nothing else of ours; model servers get less. `lent` is
    what keepers alone are given, so that they reach the artifact store.

    `on_change(environment, model)` is called from the supervisor when a revision's state has changed: only a hint.
    Its places are `Routes` for the proxy, to whom a `Backend.revision_id` names a revision in its place.
    """

    name = "local"

    def __init__(
        self,
        home: Path,
        *,
        clock: Clock,
        cache: Path,
        environment: Mapping[str, str],
        on_change: Callable[[str, str], None] | None = None,
        credential_of: Callable[[str], GitCredential | None] = lambda _address: None,
        lent: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = home.resolve() / "serving"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clock = clock
        self._cache = cache.resolve()
        self._environment = dict(environment)
        self._lent = dict(lent or {})
        self._on_change = on_change or (lambda _environment, _model: None)
        self._credential_of = credential_of
        self._lock = threading.RLock()
        self._kept = DesiredFolder(self._folder / "desired")
        self._desired: dict[tuple[str, str], DesiredService] = {}
        self._revisions: dict[str, LocalRevision] = {}
        self._routes: Mapping[tuple[str, str], tuple[Backend, ...]] = {}
        self._supervisor = Supervisor(self._all_revisions, moved=self._moved, over=self._over)
        self._read()

    def start(self) -> None:
        """Find again what serves, and begin to supervise."""
        self._supervisor.start()

    # -- the port `Serving`
    def apply(self, desired: DesiredService) -> None:
        checked(desired)
        if not desired.shares:
            self.remove(desired.environment, desired.model)
            return
        with self._lock:
            self._kept.write(desired)
            self._want(desired)
        self._supervisor.wake()

    def desired(self, environment: str, model: str) -> DesiredService | None:
        return self._desired.get((environment, model))

    def observe(self, environment: str, model: str) -> ObservedService:
        with self._lock:
            desired = self._desired.get((environment, model))
            if desired is None:
                return ObservedService(environment, model)
            found = self._found(desired)
        return ObservedService(environment, model, tuple(_observed(one, share.percent) for share, one in found))

    def services(self) -> Sequence[DesiredService]:
        with self._lock:
            return [self._desired[name] for name in sorted(self._desired)]

    def traffic(self, environment: str, model: str, revision_id: str) -> Traffic:
        revision = self._revisions.get(Place(environment, model, revision_id).key)
        return revision.meter.traffic() if revision is not None else Traffic()

    def remove(self, environment: str, model: str) -> None:
        with self._lock:
            if self._desired.pop((environment, model), None) is None:
                return
            self._kept.remove(environment, model)
            self._forget_others(environment, model, keep=())
            self._open_routes()
        self._supervisor.wake()

    def check_health(self) -> None:
        if not self._supervisor.is_alive:
            raise TransientError("The supervisor of the model servers does not run.")
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise TransientError(f"Serving can not write to its folder {self._folder}.")
        free = os.statvfs(self._folder)
        if free.f_bavail * free.f_frsize < LOWEST_FREE_BYTES:
            raise TransientError("The disk of the model servers is full: less than 50 MB are free.")

    def close(self) -> None:
        self._supervisor.close()
        for revision in self._revisions.values():
            revision.keeper.let_go()

    # -- the port `Routes`
    def backends(self, environment: str, model: str) -> Sequence[Backend] | None:
        return self._routes.get((environment, model))

    def entered(self, revision_id: str) -> None:
        revision = self._revisions.get(revision_id)
        if revision is not None:
            revision.meter.entered()

    def left(self, revision_id: str, *, status: int | None, elapsed_s: float) -> None:
        revision = self._revisions.get(revision_id)
        if revision is not None:
            revision.meter.left(status=status, elapsed_s=elapsed_s)

    # -- beyond the ports
    def prune(self, older_than: timedelta) -> int:
        """Remove what is left of revisions that ended before then: their logs. Gives how many."""
        return sum(folder.remove() for folder in self.ended_before(self._clock() - older_than))

    def ended_before(self, before: datetime) -> Iterator[ServerFolder]:
        """Each stays out of use while it is looked at."""
        for place, folder in self._folders():
            with self._lock:
                if place.key not in self._revisions and _ended_before(folder, before):
                    yield folder

    def end(self, *, within_s: float) -> None:
        """Close, and end all servers: for a demo and tests, which leave nothing behind. What is desired stays."""
        self._supervisor.close()
        ending = [revision.keeper for revision in self._revisions.values() if revision.keeper.is_alive()]
        for keeper in ending:
            keeper.ask_to_end()
        deadline_s = time.monotonic() + within_s
        while any(keeper.is_alive() for keeper in ending) and time.monotonic() < deadline_s:
            time.sleep(ENDING_PAUSE_S)
        for keeper in ending:
            if keeper.is_alive():
                keeper.kill()
        for _, folder in self._folders():
            (folder.path / "order.json").unlink(missing_ok=True)  # or the next start takes it for one that has died
        self.close()

    # -- what is desired
    def _read(self) -> None:
        for desired in self._kept.read_all():
            self._want(desired)
        for place, folder in self._folders():
            if place.key not in self._revisions and folder.read("order.json") is not None:
                self._revisions[place.key] = self._revision(place)  # not desired any more: it will be ended

    def _want(self, desired: DesiredService) -> None:
        before = self._desired.get((desired.environment, desired.model))
        known = {share.revision.id for share in before.shares} if before is not None else set()
        self._desired[desired.environment, desired.model] = desired
        for share in desired.shares:
            place = _place(desired, share.revision)
            revision = self._revisions.get(place.key) or self._revision(place)
            self._revisions[place.key] = revision
            revision.want(share.revision, share.percent, anew=share.revision.id not in known)
        self._forget_others(desired.environment, desired.model, keep=[share.revision.id for share in desired.shares])
        self._open_routes()

    def _forget_others(self, environment: str, model: str, *, keep: Sequence[str]) -> None:
        for revision in self._revisions.values():
            place = revision.place
            if (place.environment, place.model) == (environment, model) and place.revision_id not in keep:
                revision.forget()

    def _revision(self, place: Place) -> LocalRevision:
        return LocalRevision(place, self._folder_of(place), self._clock, self._start)

    def _folder_of(self, place: Place) -> ServerFolder:
        return ServerFolder(self._folder / "revisions" / place.environment / place.model / place.revision_id)

    def _folders(self) -> list[tuple[Place, ServerFolder]]:
        paths = sorted((self._folder / "revisions").glob("*/*/*"))
        return [(Place(*path.parts[-3:]), ServerFolder(path)) for path in paths if path.is_dir()]

    def _open_routes(self) -> None:
        """Swapped as a whole, so that the proxy reads it without a lock."""
        self._routes = {name: self._backends(desired) for name, desired in self._desired.items()}

    def _backends(self, desired: DesiredService) -> tuple[Backend, ...]:
        return tuple(
            Backend(revision.place.key, seen.address, share.percent)
            for share, revision in self._found(desired)
            if (seen := revision.seen).state is RevisionState.READY
        )

    def _found(self, desired: DesiredService) -> list[tuple[Share, LocalRevision]]:
        return [(share, self._revisions[_place(desired, share.revision).key]) for share in desired.shares]

    # -- what the supervisor asks and tells
    def _all_revisions(self) -> list[LocalRevision]:
        with self._lock:
            return list(self._revisions.values())

    def _moved(self, revision: LocalRevision) -> None:
        with self._lock:
            self._open_routes()
        place, seen = revision.place, revision.seen
        log.info("model_server_moved", revision=place.key, state=seen.state.value, restarts=seen.restarts)
        try:
            self._on_change(place.environment, place.model)
        except Exception:  # a hint that is not heard must not stop the supervisor
            log.exception("serving_hint_failed", revision=place.key)

    def _over(self, revision: LocalRevision) -> None:
        with self._lock:
            if revision.wanted is None:  # still
                revision.clear()
                self._revisions.pop(revision.place.key, None)

    def _start(self, revision: LocalRevision, wanted: ServedRevision) -> None:
        is_there = (revision.folder.path / "code.complete").exists()
        credential = self._credential_of(wanted.code) if wanted.code and not is_there else None
        order = _order(revision.place, wanted, start=revision.starts, cache=self._cache)
        revision.keeper.start(order, self._environment, credential, self._lent)


def _place(desired: DesiredService, revision: ServedRevision) -> Place:
    return Place(desired.environment, desired.model, revision.id)


def _order(place: Place, wanted: ServedRevision, *, start: int, cache: Path) -> Order:
    return Order(
        model=place.model,
        version=wanted.version,
        runtime=wanted.runtime,
        storage=wanted.storage,
        digest=wanted.digest,
        code=wanted.code,
        sha=wanted.sha,
        model_path=wanted.model_path,
        cache=str(cache),
        start=start,
        environment=dict(wanted.environment),
        memory_bytes=wanted.memory_bytes,
        cpu=wanted.cpu,
    )


def _observed(revision: LocalRevision, percent: int) -> ObservedRevision:
    seen = revision.seen
    return ObservedRevision(
        revision.place.revision_id,
        seen.state,
        percent,
        address=seen.address,
        since=seen.since,
        restarts=seen.restarts,
        message=mask(seen.message),
        log_tail=tuple(mask(line) for line in revision.folder.log_tail(TAIL_LINES)),
    )


def _ended_before(folder: ServerFolder, before: datetime) -> bool:
    """The last thing that a keeper does is to write into its log."""
    return folder.log.exists() and datetime.fromtimestamp(folder.log.stat().st_mtime, UTC) < before
