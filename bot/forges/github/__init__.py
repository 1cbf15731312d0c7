"""GitHub: pull requests are changes; told by webhooks, read and answered through its API as an App, or with a token."""

from bot.forges.github.api import GitHubForge
from bot.forges.github.settings import GitHubSettings

__all__ = ["GitHubForge", "GitHubSettings"]
