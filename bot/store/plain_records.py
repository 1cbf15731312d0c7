"""What the plain-git forge remembers, in tables of its own beside the store's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy import insert as plain_insert

from bot.domain.change import Change, ChangeState
from bot.domain.check import Check, CheckStatus, Conclusion
from bot.ports.plain_records import Post
from bot.store.changes import change_of, change_values, get_change, save_change
from bot.store.columns import LARGEST_NUMBER, short_name
from bot.store.database import Database, insert
from bot.store.encode import decode_annotations, decode_names, encode_annotations, encode_names
from bot.store.tables import PLAIN_CHANGES, PLAIN_CHECKS, PLAIN_POSTS

# Class of the advisory locks under which PostgreSQL gives out a repository's numbers, as SQLite's one writer does
NUMBER_LOCK_CLASS = 0x6D6C6E75


class SqlPlainRecords:
    """On the database of a `SqlStore`: `SqlPlainRecords(store.database)`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def change_of_branch(self, repository: str, branch: str) -> Change | None:
        with self.database.read() as connection:
            return _open_change(connection, repository, branch)

    def add_change(self, change: Change) -> Change:
        with self.database.write() as connection:
            if self.database.is_postgresql:
                lock = func.pg_advisory_xact_lock(NUMBER_LOCK_CLASS, func.hashtext(short_name(change.repository)))
                connection.execute(select(lock))
            there = _open_change(connection, change.repository, change.source_branch)
            if there is not None:
                return there
            highest = select(func.max(PLAIN_CHANGES.c.number)).where(PLAIN_CHANGES.c.repository == change.repository)
            numbered = replace(change, number=(connection.execute(highest).scalar() or 0) + 1)
            connection.execute(plain_insert(PLAIN_CHANGES).values(change_values(numbered)))
            return numbered

    def save_change(self, change: Change) -> None:
        with self.database.write() as connection:
            save_change(connection, PLAIN_CHANGES, change)

    def change(self, repository: str, number: int) -> Change | None:
        with self.database.read() as connection:
            return get_change(connection, PLAIN_CHANGES, repository, number)

    def changes(self, repository: str) -> list[Change]:
        """Oldest first."""
        query = select(PLAIN_CHANGES).where(PLAIN_CHANGES.c.repository == repository).order_by(PLAIN_CHANGES.c.number)
        with self.database.read() as connection:
            return [change_of(row) for row in connection.execute(query)]

    def add_post(self, repository: str, number: int, *, author: str, body: str, is_bot: bool, now: datetime) -> Post:
        new = plain_insert(PLAIN_POSTS).values(
            repository=repository,
            number=number,
            author=author,
            body=body,
            is_bot=is_bot,
            created_at=now,
            updated_at=now,
            reactions=encode_names(()),
        )
        with self.database.write() as connection:
            return _post(connection.execute(new.returning(PLAIN_POSTS)).one())

    def save_post(self, post_id: str, *, body: str, now: datetime) -> None:
        self._update_post(post_id, body=body, updated_at=now)

    def post(self, post_id: str) -> Post | None:
        with self.database.read() as connection:
            row = connection.execute(select(PLAIN_POSTS).where(PLAIN_POSTS.c.seq == _seq(post_id))).one_or_none()
        return None if row is None else _post(row)

    def posts(self, repository: str, number: int) -> list[Post]:
        query = select(PLAIN_POSTS).where(PLAIN_POSTS.c.repository == repository, PLAIN_POSTS.c.number == number)
        with self.database.read() as connection:
            return [_post(row) for row in connection.execute(query.order_by(PLAIN_POSTS.c.seq))]

    def set_reactions(self, post_id: str, reactions: Sequence[str]) -> None:
        self._update_post(post_id, reactions=encode_names(reactions))

    def _update_post(self, post_id: str, **values: object) -> None:
        """Raises LookupError when there is no such post."""
        with self.database.write() as connection:
            change = update(PLAIN_POSTS).where(PLAIN_POSTS.c.seq == _seq(post_id)).values(values)
            if connection.execute(change).rowcount != 1:
                raise LookupError(f"no post {post_id}")

    def save_check(self, repository: str, check: Check) -> str:
        values = {
            "status": check.status.value,
            "conclusion": check.conclusion and check.conclusion.value,
            "title": check.title,
            "summary": check.summary,
            "details_url": check.details_url,
            "annotations": encode_annotations(check.annotations),
        }
        with self.database.write() as connection:
            new = insert(connection, PLAIN_CHECKS).values(
                repository=repository, sha=check.sha, name=check.name, **values
            )
            saved = new.on_conflict_do_update(index_elements=["repository", "sha", "name"], set_=values)
            return str(connection.execute(saved.returning(PLAIN_CHECKS.c.seq)).scalar_one())

    def checks(self, repository: str, sha: str) -> list[Check]:
        """By name."""
        query = select(PLAIN_CHECKS).where(PLAIN_CHECKS.c.repository == repository, PLAIN_CHECKS.c.sha == sha)
        with self.database.read() as connection:
            return [_check(row) for row in connection.execute(query.order_by(PLAIN_CHECKS.c.name))]


def _open_change(connection: Connection, repository: str, branch: str) -> Change | None:
    query = select(PLAIN_CHANGES).where(
        PLAIN_CHANGES.c.repository == repository,
        PLAIN_CHANGES.c.source_branch == branch,
        PLAIN_CHANGES.c.state == ChangeState.OPEN.value,
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else change_of(row)


def _seq(post_id: str) -> int:
    """-1, which no post has, for what is not the id of a post."""
    number = int(post_id) if post_id.isascii() and post_id.isdecimal() and len(post_id) < 20 else -1
    return number if number <= LARGEST_NUMBER else -1


def _post(row: Row[Any]) -> Post:
    return Post(
        id=str(row.seq),
        repository=row.repository,
        number=row.number,
        author=row.author,
        body=row.body,
        is_bot=row.is_bot,
        created_at=row.created_at,
        updated_at=row.updated_at,
        reactions=decode_names(row.reactions),
    )


def _check(row: Row[Any]) -> Check:
    return Check(
        name=row.name,
        sha=row.sha,
        status=CheckStatus(row.status),
        conclusion=row.conclusion and Conclusion(row.conclusion),
        title=row.title,
        summary=row.summary,
        details_url=row.details_url,
        annotations=decode_annotations(row.annotations),
    )
