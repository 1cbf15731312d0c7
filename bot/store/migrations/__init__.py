"""How the tables came to be. `HEAD` is the newest revision, so that only a start that migrates needs alembic."""

HEAD = "0002"
