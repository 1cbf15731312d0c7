"""Removes what nobody needs any more: files of old runs in the artifact store, and what lies about on this machine.

Never the files of a run that is active, became a version, is deployed or on its way, or is what others are compared
with. A repository whose registry can not be read keeps everything. The rows of runs stay: their results are told on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from bot.domain.deployment import DeploymentPhase
from bot.domain.errors import TransientError, UserError
from bot.domain.feedback import LedgerEntry
from bot.domain.pipeline import DEPLOY
from bot.domain.retention import Retention, expired, is_over
from bot.domain.run import Run
from bot.domain.version import VersionPhase
from bot.usecases.world import World

RUNS_A_TURN = 100  # removed, or measured: within the time that a command waits for an answer
RUNS_OF_A_REPOSITORY = 100_000
IN_THE_STORE = "runs in the artifact store"
BY_THE_BOT = "mlops-bot"

log = structlog.get_logger()


@dataclass
class Line:
    """How much of one kind was removed, or would be."""

    what: str
    count: int = 0
    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        self.count += 1
        self.size_bytes += size_bytes


@dataclass
class Turn:
    """`stopped` are repositories that keep everything for now, and why. `unknown` counts prefixes of runs that the
    database does not know, which are left alone. `after` is where the next turn goes on, "" when all was looked at."""

    lines: list[Line]
    stopped: dict[str, str] = field(default_factory=dict)
    unknown: int = 0
    after: str = ""


def prune(world: World, keep: Retention, *, by: str, dry: bool, after: str = "", limit: int = RUNS_A_TURN) -> Turn:
    """One turn, of at most `limit` runs; what is of this machine is looked at by the turn that begins."""
    turn = Turn([Line(IN_THE_STORE)])
    if not after and keep.cache is not None:
        before = world.clock() - keep.cache
        turn.lines += [Line(what, *clear(before, dry)) for what, clear in world.leftovers.items()]
    if keep.runs is not None or keep.failed is not None:
        _prune_runs(_Pruning(world, keep, by, dry), turn, after, limit)
    return turn


def prune_by_policy(world: World) -> Turn | None:
    """The service's own turn; None where its policy keeps everything."""
    keep = world.retention()
    if keep is None:
        return None
    turn = prune(world, keep, by=BY_THE_BOT, dry=False)
    for line in turn.lines:
        if line.count:
            log.info("pruned", what=line.what, count=line.count, size_bytes=line.size_bytes)
    for repository, problem in turn.stopped.items():
        log.warning("prune_stopped", repository=repository, problem=problem)
    return turn


def _prune_runs(pruning: _Pruning, turn: Turn, after: str, limit: int) -> None:
    (line, *_) = turn.lines
    removed: dict[str, Line] = {}
    try:
        for run_id in pruning.world.artifacts.run_ids():
            if run_id <= after:
                continue
            run = pruning.world.store.run(run_id)
            if run is None:
                turn.unknown += 1
            elif pruning.is_expired(run) and (size := pruning.take(run)) is not None:
                line.add(size)
                removed.setdefault(run.repository, Line("")).add(size)
                if line.count == limit:
                    turn.after = run_id
                    return
    finally:
        turn.stopped = pruning.stopped
        if not pruning.dry:
            pruning.tell(removed)


class _Pruning:
    """What is found out about each repository once in a turn."""

    def __init__(self, world: World, keep: Retention, by: str, dry: bool) -> None:
        self.world, self.keep, self.by, self.dry = world, keep, by, dry
        self.stopped: dict[str, str] = {}
        self._expired: dict[str, frozenset[str]] = {}

    def is_expired(self, run: Run) -> bool:
        if run.pipeline == DEPLOY:
            return self._is_deployment_over(run)
        if run.repository not in self._expired:
            self._expired[run.repository] = self._expired_of(run.repository)
        return run.id in self._expired[run.repository]

    def take(self, run: Run) -> int | None:
        """How much it was; None when nothing is there, or something needs it after all."""
        if self.dry:
            files = self.world.artifacts.files(run.id)
            return sum(size for _, size in files) if files else None
        with self.world.admission:  # no run begins to use it meanwhile, on this service
            if _has_new_user(run, self.world):
                return None
            return self.world.artifacts.remove(run.id) or None

    def tell(self, removed: Mapping[str, Line]) -> None:
        with self.world.store.transaction() as tx:
            for repository, line in removed.items():
                facts = {"runs": str(line.count), "bytes": str(line.size_bytes)}
                words = f"files of {line.count} run{'s' * (line.count != 1)}"
                tx.append_ledger(LedgerEntry(self.world.clock(), self.by, "pruned", repository, words, facts))

    def _is_deployment_over(self, run: Run) -> bool:
        deployment = self.world.store.deployment_of_run(run.id)
        if deployment is not None and (deployment.phase.is_active or deployment.phase is DeploymentPhase.LIVE):
            return False
        return is_over(run.phase, run.ended_at, run.requested_at, self.keep, self.world.clock())

    def _expired_of(self, key: str) -> frozenset[str]:
        runs = self.world.store.runs(repository=key, limit=RUNS_OF_A_REPOSITORY + 1)
        if len(runs) > RUNS_OF_A_REPOSITORY:
            self.stopped[key] = f"It has more than {RUNS_OF_A_REPOSITORY:,} runs."
            return frozenset()
        try:
            needed = {
                *_registered(key, runs, self.world),
                *_deployed(key, self.world),
                *_incumbents(key, runs, self.world),
            }
        except (TransientError, UserError) as error:
            self.stopped[key] = error.problem
            return frozenset()
        return expired(runs, needed=needed, keep=self.keep, now=self.world.clock())


def _registered(key: str, runs: list[Run], world: World) -> set[str]:
    """By the index, and by the tags as they are now. Of a model with a tag that does not say what it stands for, all
    runs stay. Raises TransientError or UserError when the tags can not be read."""
    known = world.store.versions(repository=key, limit=RUNS_OF_A_REPOSITORY)
    found = {version.lock.run_id for version in known if version.phase in _HELD}
    if world.registry is None:
        return found
    repository = world.store.repository(key)
    if repository is None:
        raise UserError("It is not watched any more, so its versions are not known.", "")
    record = world.registry.read(repository)
    found |= {tagged.lock.run_id for tagged in record.versions if tagged.lock is not None}
    unclear = {tagged.model for tagged in record.versions if tagged.lock is None}
    return found | {run.id for run in runs if run.model in unclear}


_HELD = (VersionPhase.WANTED, VersionPhase.REGISTERED)


def _deployed(key: str, world: World) -> set[str]:
    deployments = [
        *world.store.deployments(repository=key, active=True, limit=RUNS_OF_A_REPOSITORY),
        *world.store.deployments(repository=key, phase=DeploymentPhase.LIVE, limit=RUNS_OF_A_REPOSITORY),
    ]
    return {deployment.run_id for deployment in deployments if deployment.run_id}


def _incumbents(key: str, runs: list[Run], world: World) -> set[str]:
    """What a new run of each branch would be compared with."""
    branches = set(world.store.heads(key))
    places = {(run.branch, run.model) for run in runs if run.number is None and run.branch in branches}
    found = (world.store.newest_result(key, branch=branch, model=model) for branch, model in sorted(places))
    return {run.id for run in found if run is not None}


def _has_new_user(run: Run, world: World) -> bool:
    """Since the repository was looked at: an equal run that waits to reuse it, or a deployment of it."""
    if world.store.queued_equals(run.key):
        return True
    active = world.store.deployments(repository=run.repository, model=run.model, active=True)
    return any(deployment.run_id == run.id for deployment in active)
