"""Run by alembic. `bot/store/migrate.py` hands over a connection that is in a transaction already."""

from alembic import context

from bot.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by making it anew
    transactional_ddl=True,
)
context.run_migrations()
