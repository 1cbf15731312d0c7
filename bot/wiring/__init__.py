"""The only place where objects are built. Owns the real clock."""

from bot.wiring.shared import utc_now
from bot.wiring.whole import Bot, build
from bot.wiring.worktree import LocalBot, build_local

__all__ = ["Bot", "LocalBot", "build", "build_local", "utc_now"]
