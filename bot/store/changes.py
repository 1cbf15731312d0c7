"""Repositories, the heads of their branches, and their changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, delete, func, or_, select, update

from bot.domain.change import Change, ChangeState, Repository
from bot.store.database import add_if_new, insert
from bot.store.rows import planned, written
from bot.store.tables import CHANGES, HEADS, REPOSITORIES


def add_repository(connection: Connection, repository: Repository, now: datetime) -> tuple[bool, bool]:
    """Whether it is new, and whether it was there and differed. Equal facts are no write: every event brings them."""
    facts = {"clone_address": repository.clone_address, "default_branch": repository.default_branch}
    table = REPOSITORIES
    if add_if_new(connection, table, {"id": repository.key, **facts, "watched_at": now, **planned(now)}):
        return True, False
    differs = or_(*(table.c[name] != value for name, value in facts.items()))
    same_key = table.c.id == repository.key
    changed = connection.execute(update(table).where(same_key, differs).values(**facts, **written(table)))
    return False, changed.rowcount == 1


def get_repository(connection: Connection, key: str) -> Repository | None:
    row = connection.execute(select(REPOSITORIES).where(REPOSITORIES.c.id == key)).one_or_none()
    return None if row is None else _repository(row)


def watched_since(connection: Connection, key: str) -> datetime | None:
    return connection.execute(select(REPOSITORIES.c.watched_at).where(REPOSITORIES.c.id == key)).scalar_one_or_none()


def repositories(connection: Connection) -> list[Repository]:
    return [_repository(row) for row in connection.execute(select(REPOSITORIES).order_by(REPOSITORIES.c.id))]


def repository_counts(connection: Connection) -> dict[str, int]:
    return {"repository/watched": connection.execute(select(func.count()).select_from(REPOSITORIES)).scalar_one()}


def _repository(row: Row[Any]) -> Repository:
    return Repository(key=row.id, clone_address=row.clone_address, default_branch=row.default_branch)


def save_head(connection: Connection, repository: str, branch: str, sha: str | None) -> None:
    if sha is None:
        connection.execute(delete(HEADS).where(HEADS.c.repository == repository, HEADS.c.branch == branch))
        return
    new = insert(connection, HEADS).values(repository=repository, branch=branch, sha=sha)
    connection.execute(new.on_conflict_do_update(index_elements=["repository", "branch"], set_={"sha": sha}))


def heads(connection: Connection, repository: str) -> dict[str, str]:
    rows = connection.execute(
        select(HEADS.c.branch, HEADS.c.sha).where(HEADS.c.repository == repository).order_by(HEADS.c.branch)
    )
    return {row.branch: row.sha for row in rows}


def head_to_write(connection: Connection, repository: str, branch: str) -> str | None:
    """Nobody else can write it before this transaction ends."""
    found = select(HEADS.c.sha).where(HEADS.c.repository == repository, HEADS.c.branch == branch)
    sha: str | None = connection.execute(found.with_for_update()).scalar()
    return sha


def change_to_write(connection: Connection, repository: str, number: int) -> Change | None:
    """Nobody else can write it before this transaction ends."""
    found = select(CHANGES).where(CHANGES.c.repository == repository, CHANGES.c.number == number)
    row = connection.execute(found.with_for_update()).one_or_none()
    return None if row is None else change_of(row)


def save_change(connection: Connection, table: Table, change: Change) -> None:
    """Insert or replace, in `changes` or `plain_changes`."""
    values = change_values(change)
    new = insert(connection, table).values(values)
    connection.execute(new.on_conflict_do_update(index_elements=["repository", "number"], set_=values))


def get_change(connection: Connection, table: Table, repository: str, number: int) -> Change | None:
    found = select(table).where(table.c.repository == repository, table.c.number == number)
    row = connection.execute(found).one_or_none()
    return None if row is None else change_of(row)


def changes(connection: Connection, repository: str, *, state: ChangeState | None, limit: int) -> list[Change]:
    query = select(CHANGES).where(CHANGES.c.repository == repository)
    if state is not None:
        query = query.where(CHANGES.c.state == state.value)
    return [change_of(row) for row in connection.execute(query.order_by(CHANGES.c.number.desc()).limit(limit))]


def change_values(change: Change) -> dict[str, Any]:
    return {
        "repository": change.repository,
        "number": change.number,
        "title": change.title,
        "author": change.author,
        "source_branch": change.source_branch,
        "target_branch": change.target_branch,
        "head_sha": change.head_sha,
        "from_fork": change.from_fork,
        "state": change.state.value,
        "opened_at": change.opened_at,
    }


def change_of(row: Row[Any]) -> Change:
    return Change(
        repository=row.repository,
        number=row.number,
        title=row.title,
        author=row.author,
        source_branch=row.source_branch,
        target_branch=row.target_branch,
        head_sha=row.head_sha,
        from_fork=row.from_fork,
        state=ChangeState(row.state),
        opened_at=row.opened_at,
    )
