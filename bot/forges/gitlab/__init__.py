"""GitLab: merge requests are changes; told by webhooks, read and answered through its REST API with one token."""

from bot.forges.gitlab.api import GitLabForge
from bot.forges.gitlab.settings import GitLabSettings

__all__ = ["GitLabForge", "GitLabSettings"]
