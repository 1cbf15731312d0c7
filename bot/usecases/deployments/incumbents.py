"""What serves: the newest assignment of each place, and the version that it assigns."""

from __future__ import annotations

from bot.domain.version import Assignment, Version, VersionPhase
from bot.usecases.world import World

PRODUCTION = "production"


def serving_assignment(repository: str, model: str, environment: str, world: World) -> Assignment | None:
    """The newest that the bot made; one that somebody made by hand was never served."""
    found = world.store.assignments(repository=repository, model=model, environment=environment)
    return max(
        (assignment for assignment in found if assignment.deployment_id),
        key=lambda assignment: assignment.serial,
        default=None,
    )


def serving_version(repository: str, model: str, environment: str, world: World) -> Version | None:
    assignment = serving_assignment(repository, model, environment, world)
    return None if assignment is None else version_at(repository, model, assignment.commit_sha, world)


def version_at(repository: str, model: str, commit_sha: str, world: World) -> Version | None:
    versions = world.store.versions(repository=repository, model=model)
    return next((version for version in versions if version.commit_sha == commit_sha), None)


def registered(repository: str, model: str, world: World) -> list[Version]:
    """The highest number first."""
    versions = world.store.versions(repository=repository, model=model)
    there = [version for version in versions if version.phase is VersionPhase.REGISTERED]
    return sorted(there, key=lambda version: version.lock.number, reverse=True)


def former_version(repository: str, model: str, environment: str, world: World) -> Version | None:
    """The one that served before the one that serves now."""
    now = serving_assignment(repository, model, environment, world)
    if now is None:
        return None
    found = world.store.assignments(repository=repository, model=model, environment=environment)
    earlier = [one for one in found if one.serial < now.serial and one.deployment_id]
    for assignment in sorted(earlier, key=lambda one: one.serial, reverse=True):
        version = version_at(repository, model, assignment.commit_sha, world)
        if version is not None and version.commit_sha != now.commit_sha:
            return version
    return None
