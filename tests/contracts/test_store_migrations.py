"""Migrations lead from an empty database to the tables that the code knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import bot.store.migrations
from bot.domain.errors import UserError
from bot.store import open_store
from bot.store.tables import METADATA
from tests.contracts.store_examples import a_delivery


def test_an_empty_database_is_migrated_to_exactly_the_tables_of_the_code(empty_database_url):
    store = open_store(empty_database_url)

    with store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, METADATA) == []
        assert context.get_current_revision() == bot.store.migrations.HEAD
    store.close()


def test_the_newest_revision_is_the_one_that_a_start_compares_with():
    config = Config()
    config.set_main_option("script_location", str(Path(bot.store.migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_heads() == [bot.store.migrations.HEAD]


def test_opening_again_keeps_what_was_stored(empty_database_url):
    store = open_store(empty_database_url)
    store.add_deliveries([a_delivery("d1")])
    store.close()

    store = open_store(empty_database_url)

    assert store.delivery("d1") == a_delivery("d1")
    store.close()


def test_a_database_of_a_newer_bot_is_left_alone_and_the_operator_is_told(empty_database_url):
    store = open_store(empty_database_url)
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    name = store.database.name
    store.close()

    with pytest.raises(UserError) as refused:
        open_store(empty_database_url)

    assert refused.value.problem == (
        f"The database {name} is of a newer mlops-bot (its revision 9999 is unknown here)."
    )
    assert refused.value.fix == "Update mlops-bot, or give it another MLOPS_BOT_DATABASE_URL."
