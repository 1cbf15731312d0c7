"""Results become versions: what is wanted is a row, and this registers it as a tag in its repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from bot.comments.model_card import model_card
from bot.domain.change import Repository
from bot.domain.deployment import Deployment
from bot.domain.errors import TransientError, UserError
from bot.domain.feedback import LedgerEntry, Waiver
from bot.domain.gate import Outcome, Verdict
from bot.domain.plan import PROJECT_FILE
from bot.domain.run import Run
from bot.domain.version import (
    FIRST,
    Version,
    VersionLock,
    VersionNumber,
    VersionPhase,
    lock_of,
    next_number,
    version_id,
)
from bot.ports.registry import Record, TaggedVersion, TagTaken
from bot.ports.store import Claim, Kind, Transaction
from bot.usecases.deployments.incumbents import PRODUCTION, serving_version
from bot.usecases.deployments.targets import has_ended_well, trained_of
from bot.usecases.reports import judgement_now
from bot.usecases.world import World

log = structlog.get_logger()

CARD_FILE = "MODEL_CARD.md"  # beside the model in the run's prefix, and in the version's commit
TAKEN_RETRY_S = 0.2
LOOK_AGAIN_S = 3600.0


def version_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    return [partial(_converge, claim, world) for claim in claims]


def give_up(claim: Claim, error: str, world: World) -> None:
    version = world.store.version(claim.id)
    if version is not None and version.phase is VersionPhase.WANTED:
        _refuse(claim, version, error, world)


def wanted_version(run: Run, world: World, *, by: str, is_major: bool = False) -> Version:
    """The version that a result is to become; the same for the same trained model."""
    assert run.result is not None
    trained = trained_of(run, world)
    return Version(
        id=version_id(run.repository, run.model, trained.run_id),
        repository=run.repository,
        lock=lock_of_run(run, world),
        phase=VersionPhase.WANTED,
        by=by,
        at=world.clock().replace(microsecond=0),  # git keeps whole seconds
        is_major=is_major,
    )


def version_of_deployment(deployment: Deployment, world: World) -> Version:
    """A rollback brings the version that it names; a deployment that of its run, wanted now if it is new."""
    if deployment.version_id:
        known = world.store.version(deployment.version_id)
        assert known is not None
        return known
    run = world.store.run(deployment.run_id)
    assert run is not None
    wanted = wanted_version(run, world, by=deployment.requested_by, is_major=deployment.is_major)
    return world.store.version(wanted.id) or wanted


def version_of_merged(run: Run, world: World) -> Version | None:
    """A good result on the default branch becomes a version at once, where the model is to be deployed."""
    repository = world.store.repository(run.repository)
    if run.number is not None or repository is None or run.branch != repository.default_branch:
        return None
    if not run.serve or world.registry is None or not has_ended_well(run):
        return None
    judgement = judgement_now(run, world)
    if judgement is None or judgement.verdict not in (Verdict.PASSED, Verdict.WAIVED):
        return None
    wanted = wanted_version(run, world, by=run.requested_by)
    return None if world.store.version(wanted.id) is not None else wanted


def lock_of_run(run: Run, world: World) -> VersionLock:
    """The number is planned when it is registered."""
    assert run.result is not None
    trained = trained_of(run, world)
    return lock_of(
        run,
        run.result,
        serve=run.serve,
        number=FIRST,
        trained_by=trained.run_id,
        artifacts=trained.prefix,
        code_digest=_code_digest(run, world),
        waived=_waived(run, world),
    )


def _code_digest(run: Run, world: World) -> str:
    """Of the model's own files: `watch:` reaches further, and says when to train, not what the model is."""
    repository = world.store.repository(run.repository)
    assert repository is not None
    paths = (str(run.arguments["model_path"]),)
    return world.git.tree_digest(repository.clone_address, run.sha, paths, without=(PROJECT_FILE,))


def _waived(run: Run, world: World) -> tuple[str, ...]:
    judgement = judgement_now(run, world)
    outcomes = judgement.outcomes if judgement is not None else ()
    missed = {outcome.gate.text for outcome in outcomes if outcome.outcome is Outcome.WAIVED}
    waivers: list[Waiver] = []
    if run.number is not None:
        waivers = world.store.waivers(run.repository, run.number, now=world.clock())
    return tuple(
        f"{waiver.gate}: {waiver.reason} ({waiver.granted_by})"
        for waiver in waivers
        if waiver.model == run.model and waiver.gate in missed
    )


def _converge(claim: Claim, world: World) -> None:
    version = world.store.version(claim.id)
    repository = world.store.repository(version.repository) if version is not None else None
    if version is None or repository is None or version.phase is not VersionPhase.WANTED or world.registry is None:
        with world.store.transaction() as tx:
            tx.settle(claim, next_check_at=None)
        return
    try:
        tagged = _register(version, repository, world)
    except UserError as error:
        _refuse(claim, version, f"{error.problem} {error.fix}".strip(), world)
        return
    except TagTaken as error:  # read again, decide again
        raise TransientError(str(error), retry_after_s=TAKEN_RETRY_S) from error
    assert tagged.lock is not None
    registered = replace(
        version, lock=tagged.lock, phase=VersionPhase.REGISTERED, commit_sha=tagged.commit_sha, problem=""
    )
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
        tx.save_version(registered)
        tx.append_ledger(_entry(registered, "version_registered", world))
        _wake_deployments(registered, tx, world)
    log.info("version_registered", repository=version.repository, tag=tagged.lock.tag)


def _register(version: Version, repository: Repository, world: World) -> TaggedVersion:
    assert world.registry is not None
    record = world.registry.read(repository)
    there = _same_model(record, version)
    if there is not None:
        return there
    lock = replace(version.lock, number=planned_number(version, record))
    card = card_of(version, lock, world)
    tagged = world.registry.register(repository, lock, card=card, by=version.by, at=version.at)
    world.artifacts.write(lock.run_id, CARD_FILE, card.encode())
    return tagged


def card_of(version: Version, lock: VersionLock, world: World) -> str:
    """Approvals are given later, and are in the ledger: the card says who asked, and how it was measured."""
    production = serving_version(version.repository, lock.model, PRODUCTION, world)
    run = world.store.run(lock.run_id)
    return model_card(
        lock,
        production=production.lock if production is not None else None,
        judgement=judgement_now(run, world) if run is not None and run.result is not None else None,
        requested_by=version.by,
        repository=version.repository,
    )


def _same_model(record: Record, version: Version) -> TaggedVersion | None:
    """A tag of this very run: from before a crash, or from another replica."""
    return next(
        (
            tagged
            for tagged in record.versions
            if tagged.lock is not None
            and (tagged.lock.model, tagged.lock.run_id) == (version.lock.model, version.lock.run_id)
        ),
        None,
    )


def planned_number(version: Version, record: Record) -> VersionNumber:
    """After the highest that any tag ever had, also one that was taken back."""
    model = version.lock.model
    highest = record.numbers.get(model)
    own = [tagged for tagged in record.versions if tagged.model == model]
    newest = max(own, key=lambda tagged: tagged.number, default=None)
    code_changed = newest is None or newest.lock is None or newest.lock.code_digest != version.lock.code_digest
    return next_number(highest, code_changed=code_changed, major=version.is_major)


def _refuse(claim: Claim, version: Version, problem: str, world: World) -> None:
    refused = replace(version, phase=VersionPhase.REFUSED, problem=problem)
    log.error("version_refused", version=version.id, problem=problem)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
        tx.save_version(refused)
        tx.append_ledger(_entry(refused, "version_refused", world))
        _wake_deployments(refused, tx, world)


def _wake_deployments(version: Version, tx: Transaction, world: World) -> None:
    active = world.store.deployments(repository=version.repository, model=version.lock.model, active=True)
    for deployment in active:
        tx.wake(Kind.DEPLOYMENT, deployment.id, now=world.clock())


def _entry(version: Version, action: str, world: World) -> LedgerEntry:
    facts = {
        "version": str(version.lock.number),
        "digest": version.lock.model_digest,
        "run": version.lock.run_id,
        "commit": version.lock.sha,
        "tagged": version.commit_sha,
        "problem": version.problem,
    }
    details = {name: value for name, value in facts.items() if value}
    return LedgerEntry(world.clock(), version.by, action, version.repository, version.lock.model, details)
