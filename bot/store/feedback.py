"""What should be shown and what is: subjects (living comment and checks) and replies, in one table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select, update

from bot.domain.feedback import Reply, Shown, SubjectFeedback
from bot.store.database import add_if_new, insert
from bot.store.encode import (
    decode_feedback,
    decode_reply,
    encode_reply_shown,
    encode_reply_wanted,
    encode_shown,
    encode_wanted,
)
from bot.store.rows import planned, woken, written
from bot.store.tables import FEEDBACK


def show(connection: Connection, feedback: SubjectFeedback, now: datetime) -> None:
    subject, wanted = feedback.subject, encode_wanted(feedback)
    new = insert(connection, FEEDBACK).values(
        id=subject.id,
        repository=subject.repository,
        number=subject.number,
        wanted=wanted,
        shown=encode_shown(Shown()),
        **planned(now),
    )
    connection.execute(
        new.on_conflict_do_update(index_elements=["id"], set_={"wanted": wanted, **woken(FEEDBACK, now)})
    )


def save(connection: Connection, feedback: SubjectFeedback) -> None:
    _save(connection, feedback.subject.id, wanted=encode_wanted(feedback), shown=encode_shown(feedback.shown))


def save_shown(connection: Connection, row_id: str, shown: Shown) -> None:
    """No write that the row's revision counts: it says nothing new to whoever converges the row."""
    connection.execute(update(FEEDBACK).where(FEEDBACK.c.id == row_id).values(shown=encode_shown(shown)))


def add_reply(connection: Connection, reply: Reply, now: datetime) -> bool:
    values = {
        "id": reply.id,
        "repository": reply.repository,
        "number": reply.number,
        "wanted": encode_reply_wanted(reply),
        "shown": encode_reply_shown(reply),
        **planned(now),
    }
    return add_if_new(connection, FEEDBACK, values)


def save_reply(connection: Connection, reply: Reply) -> None:
    _save(connection, reply.id, wanted=encode_reply_wanted(reply), shown=encode_reply_shown(reply))


def _save(connection: Connection, row_id: str, *, wanted: str, shown: str) -> None:
    values = {"wanted": wanted, "shown": shown, **written(FEEDBACK)}
    if connection.execute(update(FEEDBACK).where(FEEDBACK.c.id == row_id).values(values)).rowcount != 1:
        raise LookupError(f"no feedback {row_id}")


def get(connection: Connection, row_id: str) -> SubjectFeedback | None:
    row = connection.execute(select(FEEDBACK).where(FEEDBACK.c.id == row_id)).one_or_none()
    if row is None or not row_id.startswith("subject:"):
        return None
    return decode_feedback(row.repository, row.number, wanted=row.wanted, shown=row.shown)


def get_reply(connection: Connection, row_id: str) -> Reply | None:
    row = connection.execute(select(FEEDBACK).where(FEEDBACK.c.id == row_id)).one_or_none()
    if row is None or not row_id.startswith("reply:"):
        return None
    return decode_reply(row.id, row.repository, row.number, wanted=row.wanted, shown=row.shown)


def counts(connection: Connection) -> dict[str, int]:
    planned_count = select(func.count()).select_from(FEEDBACK).where(FEEDBACK.c.next_check_at.is_not(None))
    return {"feedback/open": connection.execute(planned_count).scalar_one()}
