"""The registry: versions and assignments as GTO-format tags, with all that git tells of them."""

from bot.registry.git_registry import GitRegistry

__all__ = ["GitRegistry"]
