"""The forges that are set up besides plain git, and the tokens that they lend to git."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bot.ports.forge import Forge, GitCredential
from bot.ports.git import Git
from bot.settings import Settings
from bot.wiring.shared import utc_now
from bot.worker import Chore

REDELIVER_EVERY_S = 300.0
REDELIVER_LOOK_BACK_S = 3600.0


def remote_forges(settings: Settings, git: Git) -> dict[str, Forge]:
    """Their libraries take a third of a second to import, so only what is set up is."""
    forges: dict[str, Forge] = {}
    if settings.github is not None:
        from bot.forges.github.api import GitHubForge

        forges[GitHubForge.name] = GitHubForge(settings.github, git=git, clock=utc_now)
    if settings.gitlab is not None:
        from bot.forges.gitlab.api import GitLabForge

        forges[GitLabForge.name] = GitLabForge(settings.gitlab, git=git, clock=utc_now)
    return forges


class Credentials:
    """Tokens for the clone addresses on the forges that are set up, and for no other address."""

    def __init__(self) -> None:
        self.forges: Mapping[str, Forge] = {}

    def of(self, address: str) -> GitCredential | None:
        return self._of(address, may_push=False)

    def for_push(self, address: str) -> GitCredential | None:
        return self._of(address, may_push=True)

    def _of(self, address: str, *, may_push: bool) -> GitCredential | None:
        if not address.startswith(("https://", "http://")):
            return None
        for forge in self.forges.values():
            key = forge.repository_of(address)
            if key is not None:
                return forge.credential(key, may_push=may_push)
        return None


def redelivery_chores(forges: Mapping[str, Forge]) -> list[Chore]:
    """GitHub does not send again by itself what it could not deliver; an App may ask for it."""
    github = forges.get("github")
    if github is None:
        return []
    from bot.forges.github.api import GitHubForge

    assert isinstance(github, GitHubForge)
    return [
        Chore(
            "redeliver_failed",
            REDELIVER_EVERY_S,
            lambda: github.redeliver_failed(utc_now() - timedelta(seconds=REDELIVER_LOOK_BACK_S)),
            at_start=True,
        )
    ]
