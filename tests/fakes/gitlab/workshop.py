"""A project on the fake with people in it, somebody's clone of it, and the bot's forge, all real but for GitLab."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bot.domain.change import Change, Delivery, Event
from bot.forges.gitlab.api import GitLabForge
from bot.forges.gitlab.settings import GitLabSettings
from bot.mirror import GitMirror
from bot.ports.forge import GitCredential
from tests.fakes.gitlab.records import DEVELOPER, MAINTAINER, REPORTER, MergeRequest, Project, SentHook
from tests.fakes.gitlab.server import FakeGitLab
from tests.fakes.gitlab.world import World

SECRET, OLD_SECRET = "hook-secret-ä", "former-secret"
HOOK_URL = "http://127.0.0.1:9/webhooks/gitlab"


class Clock:
    """The real time, and what a test adds to it for everybody."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self) -> datetime:
        return self._world.now()

    def forward(self, seconds: float) -> None:
        self._world.ahead += timedelta(seconds=seconds)


class Workshop:
    """`ada` is a Developer, `grace` a Maintainer, `rob` a Reporter, `eve` nobody."""

    def __init__(self, folder: Path, *, prefix: str = "/gitlab", path: str = "acme/ml/models", **settings: Any) -> None:
        self.folder = folder
        self.fake = FakeGitLab(folder / "gitlab", prefix=prefix)
        world = self.world = self.fake.world
        world.delivers = False
        self.ada, self.grace, self.rob, self.eve = (world.add_user(name) for name in ("Ada", "grace", "rob", "eve"))
        self.bot = world.add_user("project_7_bot_4ffca233d8298ea1", "mlops-bot")
        self.token = world.add_token(self.bot)
        self.project: Project = world.add_project(
            path,
            *((self.ada, DEVELOPER), (self.grace, MAINTAINER), (self.rob, REPORTER), (self.bot, MAINTAINER)),
        )
        world.add_hook(self.project, HOOK_URL, SECRET)
        self.clock = Clock(world)
        secrets = ("", SECRET, OLD_SECRET)
        self.settings = GitLabSettings(token=self.token, url=self.fake.url, webhook_secrets=secrets, **settings)
        self.git = GitMirror(
            folder / "home", allow_local=False, credentials=self.lend, http_origins=[self.settings.origin]
        )
        self.forge = GitLabForge(self.settings, git=self.git, clock=self.clock)
        self._heard = 0

    def lend(self, address: str) -> GitCredential | None:
        key = self.forge.repository_of(address)
        return self.forge.credential(key) if key else None

    def close(self) -> None:
        self.git.close()
        self.fake.close()

    def sent(self) -> list[SentHook]:
        """Those that were not looked at yet."""
        self._heard, first = len(self.world.sent), self._heard
        return self.world.sent[first:]

    def open(self, sent: SentHook) -> Delivery | None:
        return self.forge.open_envelope(sent.headers, sent.body)

    def told(self) -> list[Event]:
        """What the new webhooks mean."""
        deliveries = [delivery for sent in self.sent() if (delivery := self.open(sent)) is not None]
        return [event for delivery in deliveries for event in self.forge.events(delivery)]

    def restart(self) -> None:
        """The bot's forge remembers nothing of before."""
        self.forge = GitLabForge(self.settings, git=self.git, clock=self.clock)

    def change(self, of: MergeRequest) -> Change:
        return next(change for change in self.forge.changes(self.forge.repositories()[0]) if change.number == of.iid)

    def spent(self) -> dict[str, int]:
        """Requests to the API since it was asked last."""
        spent = dict(self.fake.requests)
        self.fake.requests.clear()
        return spent
