"""Plain git with everything real: repositories, the hook, a receiver on a port of its own, and records in SQLite."""

from __future__ import annotations
