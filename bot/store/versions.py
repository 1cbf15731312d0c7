"""The index of the registry: versions, and their assignments to environments. Git is the record."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, select, update

from bot.domain.version import Assignment, Version, VersionPhase
from bot.store.database import add_if_new
from bot.store.encode_deployments import decode_version, encode_version
from bot.store.rows import planned, written
from bot.store.tables import ASSIGNMENTS, VERSIONS


def add(connection: Connection, version: Version, now: datetime) -> bool:
    due_at = now if version.phase is VersionPhase.WANTED else None
    return add_if_new(connection, VERSIONS, {"id": version.id, **_values(version), **planned(due_at)})


def save(connection: Connection, version: Version) -> None:
    """Raises LookupError when there is no such version."""
    values = {**_values(version), **written(VERSIONS)}
    if connection.execute(update(VERSIONS).where(VERSIONS.c.id == version.id).values(values)).rowcount != 1:
        raise LookupError(f"no version {version.id}")


def get(connection: Connection, version_id: str) -> Version | None:
    row = connection.execute(select(VERSIONS).where(VERSIONS.c.id == version_id)).one_or_none()
    return None if row is None else _version(row)


def find(connection: Connection, *, repository: str | None, model: str | None, limit: int) -> list[Version]:
    conditions: list[ColumnElement[bool]] = []
    if repository is not None:
        conditions.append(VERSIONS.c.repository == repository)
    if model is not None:
        conditions.append(VERSIONS.c.model == model)
    newest_first = (VERSIONS.c.at.desc(), VERSIONS.c.seq.desc())
    rows = connection.execute(select(VERSIONS).where(*conditions).order_by(*newest_first).limit(limit))
    return [_version(row) for row in rows]


def counts(connection: Connection) -> dict[str, int]:
    by_phase = connection.execute(select(VERSIONS.c.phase, func.count()).group_by(VERSIONS.c.phase))
    return {f"version/{phase}": count for phase, count in by_phase}


def save_assignment(connection: Connection, assignment: Assignment) -> None:
    place = _place(assignment)
    connection.execute(delete(ASSIGNMENTS).where(*(ASSIGNMENTS.c[name] == value for name, value in place.items())))
    rest = {
        "commit_sha": assignment.commit_sha,
        "made_by": assignment.by,
        "at": assignment.at,
        "deployment_id": assignment.deployment_id,
    }
    add_if_new(connection, ASSIGNMENTS, {**place, **rest})


def remove_assignment(connection: Connection, assignment: Assignment) -> None:
    place = _place(assignment)
    connection.execute(delete(ASSIGNMENTS).where(*(ASSIGNMENTS.c[name] == value for name, value in place.items())))


def assignments(
    connection: Connection, *, repository: str | None, model: str | None, environment: str | None, limit: int
) -> list[Assignment]:
    given = {"repository": repository, "model": model, "environment": environment}
    conditions = [ASSIGNMENTS.c[name] == value for name, value in given.items() if value is not None]
    newest_first = (ASSIGNMENTS.c.at.desc(), ASSIGNMENTS.c.serial.desc())
    rows = connection.execute(select(ASSIGNMENTS).where(*conditions).order_by(*newest_first).limit(limit))
    return [
        Assignment(
            repository=row.repository,
            model=row.model,
            environment=row.environment,
            serial=row.serial,
            commit_sha=row.commit_sha,
            by=row.made_by,
            at=row.at,
            deployment_id=row.deployment_id,
        )
        for row in rows
    ]


def _place(assignment: Assignment) -> dict[str, Any]:
    return {
        "repository": assignment.repository,
        "model": assignment.model,
        "environment": assignment.environment,
        "serial": assignment.serial,
    }


def _values(version: Version) -> dict[str, Any]:
    return {
        "repository": version.repository,
        "model": version.lock.model,
        "phase": version.phase.value,
        "commit_sha": version.commit_sha,
        "at": version.at,
        "details": encode_version(version),
    }


def _version(row: Row[Any]) -> Version:
    return Version(
        id=row.id,
        repository=row.repository,
        phase=VersionPhase(row.phase),
        commit_sha=row.commit_sha,
        at=row.at,
        **decode_version(row.details),
    )
