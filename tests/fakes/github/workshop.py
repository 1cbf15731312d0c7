"""A repository on the fake GitHub, people who work in it, and the forge under test beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.domain.change import Change, Event
from bot.forges.github.api import GitHubForge
from bot.forges.github.settings import GitHubSettings
from bot.mirror import GitMirror
from bot.ports.forge import GitCredential
from tests.contracts.git_workshop import Worktree
from tests.fakes.github import FakeGitHub
from tests.fakes.github.records import HookDelivery, Pull
from tests.fakes.github.world import SECRET

FULL_NAME = "Acme/models"
TOKEN = "ghp_0123456789abcdefghij0123456789abcdef"


class Workshop:
    """`Acme/models`: Ada may write, Grace may read, the bot's own token is Robin's."""

    def __init__(self, folder: Path, *, is_app: bool = True, clock: Callable[[], datetime] | None = None) -> None:
        self.fake = FakeGitHub(folder)
        self.world = self.fake.world
        self.repo = self.world.create(FULL_NAME, Ada="write", Grace="read", Robin="write")
        self.repo.collaborators = {login.lower(): level for login, level in self.repo.collaborators.items()}
        self.folder = folder
        self.clock = clock or (lambda: datetime.now(UTC))
        self.world.give_token("Robin", TOKEN)
        if is_app:
            self.world.install(self.repo)
        self.settings = self.make_settings(is_app=is_app)
        self.git = GitMirror(
            folder / "home",
            allow_local=False,
            credentials=self._credential,
            http_origins=[self.fake.origin],
        )
        self.forge = self.new_forge()
        self.tree = Worktree(folder / "ada", self.repo.bare)

    def make_settings(self, *, is_app: bool, **more: Any) -> GitHubSettings:
        app = {"app_id": self.world.app.id, "private_key": self.world.app.private_key}
        token = {"token": TOKEN, "repositories": (FULL_NAME,)}
        common = {"api_url": self.fake.api_url, "webhook_secrets": ("an older secret", SECRET)}
        return GitHubSettings(**{**common, **(app if is_app else token), **more})

    def new_forge(self, settings: GitHubSettings | None = None) -> GitHubForge:
        """As after a restart: nothing is remembered."""
        return GitHubForge(settings or self.settings, git=self.git, clock=self.clock)

    def restart(self) -> None:
        self.forge = self.new_forge()

    def push(self, *branches: str, by: str = "Ada") -> None:
        self.tree.push(*branches)
        self.world.refs_moved(self.repo, by)

    def opened(self, branch: str = "better", *, by: str = "Ada") -> Pull:
        """A pull request of a new branch with one commit."""
        self.tree.branch(branch)
        self.tree.commit(f"Work on {branch}", **{branch: "1"})
        self.push(branch)
        return self.world.open_pull(self.repo, branch, by=by)

    def start(self) -> str:
        sha = self.tree.commit("Start", start="0")
        self.push("main")
        return sha

    def told(self) -> list[Event]:
        """What the forge makes of the webhooks that were sent since."""
        return [event for sent in self.world.hooks.take() for event in self.events_of(sent)]

    def events_of(self, sent: HookDelivery) -> list[Event]:
        delivery = self.forge.open_envelope(self.world.hooks.headers(sent), sent.body)
        return [] if delivery is None else list(self.forge.events(delivery))

    def change(self, number: int = 1) -> Change:
        return next(change for change in self.forge.changes(self.repository) if change.number == number)

    @property
    def repository(self) -> Any:
        return next(found for found in self.forge.repositories() if found.key == f"github/{FULL_NAME}")

    def close(self) -> None:
        self.git.close()
        self.fake.close()

    def _credential(self, address: str) -> GitCredential | None:
        key = self.forge.repository_of(address)
        return self.forge.credential(key) if key else None
