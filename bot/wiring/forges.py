"""The forges that are set up besides plain git, and the tokens that they lend to git."""

from __future__ import annotations

from collections.abc import Mapping

from bot.ports.forge import Forge, GitCredential
from bot.ports.git import Git
from bot.settings import Settings
from bot.store import SqlStore
from bot.wiring.shared import utc_now


def remote_forges(settings: Settings, git: Git) -> dict[str, Forge]:
    """Their libraries take a third of a second to import, so only what is set up is."""
    forges: dict[str, Forge] = {}
    if settings.github is not None:
        from bot.forges.github import GitHubForge

        forges[GitHubForge.name] = GitHubForge(settings.github, git=git, clock=utc_now)
    if settings.gitlab is not None:
        from bot.forges.gitlab import GitLabForge

        forges[GitLabForge.name] = GitLabForge(settings.gitlab, git=git, clock=utc_now)
    return forges


class Credentials:
    """Tokens for the clone addresses of watched repositories, and for no other address."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.forges: Mapping[str, Forge] = {}
        self._keys: dict[str, str] = {}

    def of(self, address: str) -> GitCredential | None:
        if not address.startswith(("https://", "http://")):
            return None
        key = self._keys.get(address)
        if key is None:  # looked up again while it is unknown: it may be watched by now
            self._keys = {one.clone_address: one.key for one in self._store.repositories()}
            key = self._keys.get(address)
        forge = self.forges.get(key.partition("/")[0]) if key is not None else None
        return None if key is None or forge is None else forge.credential(key)
