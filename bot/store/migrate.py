"""Brings a database up to date, once, however many replicas start at the same time."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from bot.domain.errors import UserError
from bot.store.database import Database
from bot.store.migrations import HEAD

# The number itself means nothing; no other lock of ours has one number alone.
MIGRATION_LOCK = 0x6D6C6F7073_626F74


def migrate(database: Database) -> None:
    """Raises UserError for a database that a newer bot has migrated further."""
    with database.read() as connection:
        if _revision(connection) == HEAD:
            return
    with database.write() as connection:  # on SQLite this is the lock
        if database.is_postgresql:
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # however long another replica migrates
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        if _revision(connection) != HEAD:
            _upgrade(connection, database.name)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _upgrade(connection: Connection, database_name: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    revision = _revision(connection)
    if revision is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(revision)
        except CommandError:
            raise UserError(
                f"The database {database_name} is of a newer mlops-bot (its revision {revision} is unknown here).",
                "Update mlops-bot, or give it another MLOPS_BOT_DATABASE_URL.",
            ) from None
    command.upgrade(config, "head")
