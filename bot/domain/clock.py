"""Time arrives as an argument; `bot/wiring.py` owns the real clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

Clock = Callable[[], datetime]
"""Gives the time now, in UTC, timezone-aware."""
