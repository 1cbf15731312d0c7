"""GitHub for the suite that every forge passes: as an App, and with a token."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bot.domain.change import Change, Delivery, Repository
from bot.domain.check import Check
from bot.ports.forge import DeploymentState, Forge
from tests.fakes.github.shown import shown_checks, shown_reactions
from tests.fakes.github.workshop import Workshop

if TYPE_CHECKING:
    from tests.contracts.forges_under_test import Webhook

_DEPLOYMENT_STATES = {
    "pending": DeploymentState.PENDING,
    "in_progress": DeploymentState.IN_PROGRESS,
    "success": DeploymentState.LIVE,
    "failure": DeploymentState.FAILED,
    "inactive": DeploymentState.INACTIVE,
}
_LOST = {"deployment": "POST .*/deployments", "status": "POST .*/deployments/[0-9]+/statuses"}


class GitHubUnderTest:
    """Whoever pushes a new branch opens a pull request at once."""

    signs_bodies = True

    def __init__(self, folder: Path, webhook: type[Webhook], *, is_app: bool) -> None:
        self.workshop = Workshop(folder, is_app=is_app)
        self.forge: Forge = self.workshop.forge
        self.tree = self.workshop.tree
        self._webhook = webhook
        self.commit("main", start="0")
        self.workshop.world.hooks.take()
        self.push("main")
        self.repository: Repository = self.workshop.forge.repositories()[0]

    def commit(self, branch: str, **files: str) -> str:
        return self.tree.commit_on(branch, **files)

    def amend(self, branch: str) -> str:
        return self.tree.amend(branch)

    def push(self, *branches: str) -> list[Webhook]:
        world, repo = self.workshop.world, self.workshop.repo
        known = set(repo.heads)
        self.workshop.push(*branches)
        for branch in sorted(set(repo.heads) - known - {"main"}):
            world.open_pull(repo, branch, by="Ada")
        return self._sent()

    def delete(self, branch: str) -> list[Webhook]:
        self.tree.git("checkout", "--quiet", "main")
        return self.push(f":{branch}")

    def merge(self, branch: str) -> list[Webhook]:
        self.tree.merge(branch)
        return self.push("main")

    def write(self, change: Change, body: str) -> list[Webhook]:
        self.workshop.world.write(self.workshop.repo, self.workshop.repo.pulls[change.number], body, by="Ada")
        return self._sent()

    def open(self, webhook: Webhook) -> Delivery:
        delivery = self.forge.open_envelope(webhook.headers, webhook.body)
        assert delivery is not None
        return delivery

    def sign(self, body: bytes) -> Webhook:
        return self._webhook(self.workshop.world.hooks.signed(body, event="push", guid="id-1"), body)

    def shown_comments(self, change: Change) -> list[str]:
        return [note.body for note in self.workshop.repo.pulls[change.number].notes]

    def shown_checks(self, sha: str) -> list[Check]:
        return shown_checks(self.workshop.repo, sha)

    def shown_reactions(self, comment_id: str) -> list[str]:
        return shown_reactions(self.workshop.repo, comment_id)

    def shown_deployments(self, environment: str) -> list[tuple[str, DeploymentState]]:
        shown = [one for one in self.workshop.repo.deployments if one.fields["environment"] == environment]
        return [(one.sha, _DEPLOYMENT_STATES[one.state]) for one in shown]

    def lose_answer(self, to: str) -> None:
        self.workshop.fake.fail(_LOST[to], is_done=True)

    def join_group(self, group: str, user: str) -> None:
        self.workshop.world.teams.setdefault(group.lower(), {})[user.lower()] = "active"

    def restart(self) -> None:
        self.workshop.restart()
        self.forge = self.workshop.forge

    def close(self) -> None:
        self.workshop.close()

    def _sent(self) -> list[Webhook]:
        hooks = self.workshop.world.hooks
        return [self._webhook(hooks.headers(sent), sent.body) for sent in hooks.take()]
