"""Plain git with everything real: repositories, the hook, a receiver on a port of its own, and records in SQLite."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent / "contracts"))  # plain_world.py and git_workshop.py live there
