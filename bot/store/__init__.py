"""The store on SQLite and PostgreSQL: the only home of sqlalchemy.

`store.py` is the front; `rows.py` holds what the loop relies on (claims, leases, revisions); the other modules hold
the SQL of their concern. `tables.py` is what `migrations/` leads to.
"""

from bot.store.plain_records import SqlPlainRecords
from bot.store.store import SqlStore, open_store

__all__ = ["SqlPlainRecords", "SqlStore", "open_store"]
