"""Each forge as the suite sees it: the forge, and somebody who uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from bot.domain.change import Change, ChangeSeen, Delivery, Event, Repository
from bot.domain.check import Check
from bot.ports.forge import DeploymentState, Forge
from tests.contracts.git_workshop import Worktree
from tests.contracts.github_under_test import GitHubUnderTest
from tests.contracts.gitlab_under_test import GitLabUnderTest
from tests.contracts.plain_under_test import PlainUnderTest


@dataclass(frozen=True)
class Webhook:
    """As it arrives."""

    headers: dict[str, str]
    body: bytes


class ForgeUnderTest(Protocol):
    forge: Forge
    repository: Repository
    tree: Worktree  # Ada's clone
    signs_bodies: bool  # else a webhook is told by a secret beside its body, and is never refused for its body

    def commit(self, branch: str, **files: str) -> str:
        """A new commit on a branch that starts at the default one; not pushed yet."""

    def amend(self, branch: str) -> str:
        """Put another commit in the place of the branch's newest."""

    def push(self, *branches: str) -> list[Webhook]:
        """Push branches, also over another history. What the forge sent. Opens a change for each other branch."""

    def delete(self, branch: str) -> list[Webhook]: ...

    def merge(self, branch: str) -> list[Webhook]:
        """Merge into the default branch."""

    def write(self, change: Change, body: str) -> list[Webhook]:
        """A person's comment."""

    def open(self, webhook: Webhook) -> Delivery:
        """As the service's endpoint does."""

    def sign(self, body: bytes) -> Webhook: ...

    def shown_comments(self, change: Change) -> list[str]:
        """The bodies of all comments, the bot's and people's."""

    def shown_checks(self, sha: str) -> list[Check]: ...

    def shown_reactions(self, comment_id: str) -> list[str]: ...

    def shown_deployments(self, environment: str) -> list[tuple[str, DeploymentState]]:
        """The commit and the state of each, oldest first."""

    def lose_answer(self, to: str) -> None:
        """The forge carries out the next `deployment` that is made, or `status` of one, and its answer is lost."""

    def join_group(self, group: str, user: str) -> None: ...

    def restart(self) -> None:
        """The bot's forge remembers nothing of before."""

    def close(self) -> None: ...


FORGES: dict[str, Callable[[Path], ForgeUnderTest]] = {
    "github": partial(GitHubUnderTest, webhook=Webhook, is_app=True),
    "github-token": partial(GitHubUnderTest, webhook=Webhook, is_app=False),
    "gitlab": partial(GitLabUnderTest, webhook=Webhook),
    "plain": partial(PlainUnderTest, webhook=Webhook),
}


def events(it: ForgeUnderTest, webhooks: list[Webhook]) -> list[Event]:
    return [event for webhook in webhooks for event in it.forge.events(it.open(webhook))]


def opened_change(it: ForgeUnderTest, branch: str = "better") -> Change:
    it.commit(branch, a=branch)
    seen = [event.change for event in events(it, it.push(branch)) if isinstance(event, ChangeSeen)]
    assert len(seen) == 1
    return seen[0]
