"""Git for all of the bot: repositories at a commit, and commits of a working tree. The only home of GitPython."""

from bot.mirror.git_mirror import GitMirror
from bot.mirror.local import create_bare
from bot.mirror.snapshot import snapshot
from bot.mirror.worktree import Worktree, open_worktree

__all__ = ["GitMirror", "Worktree", "create_bare", "open_worktree", "snapshot"]
