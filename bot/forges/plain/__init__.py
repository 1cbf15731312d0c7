"""Plain git: bare repositories in a folder, a post-receive hook, and changes that the bot itself keeps."""

from bot.forges.plain.api import PlainForge

__all__ = ["PlainForge"]
