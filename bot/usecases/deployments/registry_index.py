"""The store's index of the registry, compared with the tags: git is the record, and the index can be made anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import structlog

from bot.domain.change import Repository
from bot.domain.errors import TransientError, UserError
from bot.domain.feedback import LedgerEntry
from bot.domain.version import Assignment, Version, VersionPhase, version_id
from bot.ports.registry import Record, TaggedVersion
from bot.ports.store import Transaction
from bot.usecases.world import World

log = structlog.get_logger()

BY_HAND = "somebody"


def index_registry(repository: Repository, world: World) -> Record | None:
    """Bring the index of one repository up to date; what changed by other hands is said in the ledger. None where it
    could not be read."""
    if world.registry is None:
        return None
    known_versions = world.store.versions(repository=repository.key)
    known_assignments = world.store.assignments(repository=repository.key)
    try:
        record = world.registry.read(repository)
    except (TransientError, UserError) as error:
        log.warning("registry_unreadable", repository=repository.key, problem=error.problem)
        return None
    with world.store.transaction() as tx:
        _index_versions(repository, record, known_versions, tx, world)
        _index_assignments(repository, record, known_assignments, tx, world)
    return record


def _index_versions(
    repository: Repository, record: Record, known: list[Version], tx: Transaction, world: World
) -> None:
    by_id = {version.id: version for version in known}
    tagged = {version.id: version for version in _versions_of(repository, record, by_id)}
    for version_key, version in tagged.items():
        before = by_id.get(version_key)
        if before is None:
            tx.add_version(version, now=world.clock())
        elif (before.phase, before.commit_sha) != (version.phase, version.commit_sha):
            tx.save_version(version)
            if before.commit_sha and before.commit_sha != version.commit_sha:
                _say(tx, repository, version, "version_tag_moved", world)
    for version in known:
        if version.phase is VersionPhase.REGISTERED and version.id not in tagged:
            tx.save_version(replace(version, phase=VersionPhase.MISSING, problem="its tag was deleted"))
            _say(tx, repository, version, "version_tag_deleted", world)


def _versions_of(repository: Repository, record: Record, known: Mapping[str, Version]) -> Iterator[Version]:
    """Only tags with a lock that can be read say what to serve; others are listed from git where they are asked for."""
    for tagged in record.versions:
        if tagged.lock is None:
            continue
        row_id = version_id(repository.key, tagged.lock.model, tagged.lock.run_id)
        before = known.get(row_id)
        yield Version(
            id=row_id,
            repository=repository.key,
            lock=tagged.lock,
            phase=VersionPhase.REGISTERED,
            by=before.by if before is not None else tagged.by,
            at=before.at if before is not None else tagged.at,
            is_major=before.is_major if before is not None else False,
            commit_sha=tagged.commit_sha,
        )


def _index_assignments(
    repository: Repository, record: Record, known: list[Assignment], tx: Transaction, world: World
) -> None:
    there = {_place(assignment): assignment for assignment in record.assignments}
    before = {_place(assignment): assignment for assignment in known}
    for place, assignment in there.items():
        if before.get(place) != assignment:
            tx.save_assignment(assignment)
            if place in before:
                _say_assignment(tx, repository, assignment, "assignment_tag_moved", world)
            elif not assignment.deployment_id:
                _say_assignment(tx, repository, assignment, "assigned_by_hand", world)
    for place, assignment in before.items():
        if place not in there:
            tx.remove_assignment(assignment)
            _say_assignment(tx, repository, assignment, "assignment_tag_deleted", world)


def unreadable(record: Record) -> list[TaggedVersion]:
    """Version tags that say nothing to serve, for people to know of."""
    return [tagged for tagged in record.versions if tagged.lock is None]


def _place(assignment: Assignment) -> tuple[str, str, int]:
    return assignment.model, assignment.environment, assignment.serial


def _say(tx: Transaction, repository: Repository, version: Version, action: str, world: World) -> None:
    log.warning(action, repository=repository.key, tag=version.lock.tag)
    facts = {"version": str(version.lock.number), "tagged": version.commit_sha, "digest": version.lock.model_digest}
    tx.append_ledger(LedgerEntry(world.clock(), BY_HAND, action, repository.key, version.lock.model, facts))


def _say_assignment(tx: Transaction, repository: Repository, assignment: Assignment, action: str, world: World) -> None:
    log.warning(action, repository=repository.key, tag=assignment.tag)
    facts = {"environment": assignment.environment, "tag": assignment.tag, "tagged": assignment.commit_sha}
    actor = assignment.by or BY_HAND
    tx.append_ledger(LedgerEntry(world.clock(), actor, action, repository.key, assignment.model, facts))
