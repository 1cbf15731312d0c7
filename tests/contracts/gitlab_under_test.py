"""GitLab for the suite that every forge passes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bot.domain.change import Change, Delivery, Repository
from bot.domain.check import Check
from bot.ports.forge import DeploymentState, Forge
from tests.contracts.git_workshop import Worktree
from tests.fakes.gitlab.shown import shown_checks, shown_reactions
from tests.fakes.gitlab.workshop import SECRET, Workshop

if TYPE_CHECKING:
    from tests.contracts.forges_under_test import Webhook

_DEPLOYMENT_STATES = {
    "running": DeploymentState.IN_PROGRESS,
    "success": DeploymentState.LIVE,
    "failed": DeploymentState.FAILED,
    "canceled": DeploymentState.INACTIVE,
}
_LOST = {"deployment": "POST .*/deployments$", "status": "PUT .*/deployments/[0-9]+$"}


class GitLabUnderTest:
    """Whoever pushes a new branch opens a merge request at once. A hook is told by its token, not by its body."""

    signs_bodies = False

    def __init__(self, folder: Path, webhook: type[Webhook]) -> None:
        self.workshop = Workshop(folder)
        self.workshop.clock.forward(1)  # hooks tell whole seconds; what follows is newer than the forge
        self.forge: Forge = self.workshop.forge
        self.tree = Worktree(folder / "ada", self.workshop.project.bare)
        self._webhook = webhook
        self.commit("main", start="0")
        self.push("main")
        self.repository: Repository = self.workshop.forge.repositories()[0]

    def commit(self, branch: str, **files: str) -> str:
        return self.tree.commit_on(branch, **files)

    def amend(self, branch: str) -> str:
        return self.tree.amend(branch)

    def push(self, *branches: str) -> list[Webhook]:
        world, project = self.workshop.world, self.workshop.project
        known = set(project.heads)
        self.tree.push(*branches)
        world.pushed(project, self.workshop.ada)
        for branch in sorted(set(project.heads) - known - {"main"}):
            world.open_merge_request(project, branch, self.workshop.ada)
        return self._sent()

    def delete(self, branch: str) -> list[Webhook]:
        self.tree.git("checkout", "--quiet", "main")
        return self.push(f":{branch}")

    def merge(self, branch: str) -> list[Webhook]:
        self.tree.merge(branch)
        return self.push("main")

    def write(self, change: Change, body: str) -> list[Webhook]:
        merge_request = self.workshop.project.merge_requests[change.number - 1]
        self.workshop.world.write(merge_request, self.workshop.ada, body)
        return self._sent()

    def open(self, webhook: Webhook) -> Delivery:
        delivery = self.forge.open_envelope(webhook.headers, webhook.body)
        assert delivery is not None
        return delivery

    def sign(self, body: bytes) -> Webhook:
        return self._webhook({"x-gitlab-token": SECRET.encode().decode("latin-1"), "x-gitlab-event": "Push Hook"}, body)

    def shown_comments(self, change: Change) -> list[str]:
        return [note.body for note in self.workshop.project.merge_requests[change.number - 1].notes]

    def shown_checks(self, sha: str) -> list[Check]:
        return shown_checks(self.workshop.project, sha)

    def shown_reactions(self, comment_id: str) -> list[str]:
        return shown_reactions(self.workshop.project, comment_id)

    def shown_deployments(self, environment: str) -> list[tuple[str, DeploymentState]]:
        """Of those that were successful, GitLab shows the newest as live."""
        shown = [one for one in self.workshop.project.deployments if one.environment.name == environment]
        live = next((one for one in reversed(shown) if one.status == "success"), None)
        replaced = [one for one in shown if one.status == "success" and one is not live]
        return [
            (one.sha, DeploymentState.INACTIVE if one in replaced else _DEPLOYMENT_STATES[one.status]) for one in shown
        ]

    def lose_answer(self, to: str) -> None:
        self.workshop.fake.fail(_LOST[to], is_done=True)

    def join_group(self, group: str, user: str) -> None:
        users = {one.username.lower(): one for one in self.workshop.world.users.values()}
        self.workshop.world.groups.setdefault(group, {})[users[user.lower()].id] = 30

    def restart(self) -> None:
        self.workshop.restart()
        self.forge = self.workshop.forge

    def close(self) -> None:
        self.workshop.close()

    def _sent(self) -> list[Webhook]:
        return [self._webhook(sent.headers, sent.body) for sent in self.workshop.sent()]
