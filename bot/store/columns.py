"""Column types: the same values on every database, and no text from outside that a database would refuse."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import BigInteger, DateTime, Integer, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

# PostgreSQL refuses an index entry above 2,704 bytes; three names and a time have to fit into one
NAME_LIMIT_BYTES = 600

LARGEST_NUMBER = 2**63 - 1

SERIAL = BigInteger().with_variant(Integer(), "sqlite")  # SQLite numbers rows by itself only as INTEGER


def storable(text: str) -> str:
    """PostgreSQL has no NUL in text, and UTF-8 has no lone surrogates; JSON from outside may hold both."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def short_name(name: str) -> str:
    """The name itself, unless it is absurdly long: then its beginning and a digest, so that it stays an identity."""
    name = storable(name)
    if len(name) * 4 <= NAME_LIMIT_BYTES or len(name.encode()) <= NAME_LIMIT_BYTES:
        return name
    beginning = name.encode()[: NAME_LIMIT_BYTES - 100].decode(errors="ignore")
    return f"{beginning}…{sha256(name.encode()).hexdigest()}"


class Name(TypeDecorator[str]):
    """Text that rows are found by."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - given by the base
        return None if value is None else short_name(value)


class Words(TypeDecorator[str]):
    """Text for people, cut at a number of characters."""

    impl = Text
    cache_ok = True

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - given by the base
        if value is None:
            return None
        return storable(value if len(value) <= self.limit else value[: self.limit - 1] + "…")


class Number(TypeDecorator[int]):
    """A change's number. One that is too large to exist is asked for like any other that does not."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - given by the base
        return None if value is None else max(-LARGEST_NUMBER, min(value, LARGEST_NUMBER))


class Moment(TypeDecorator[datetime]):
    """A timezone-aware time; comes back in UTC. SQLite keeps it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone: {value}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)
