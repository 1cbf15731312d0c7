"""Plain git for the suite that every forge passes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bot.domain.change import Change, Delivery
from bot.domain.check import Check
from bot.forges.plain.auth import signature
from bot.ports.forge import DeploymentState, Forge
from tests.contracts.plain_world import SECRET, PlainWorld

if TYPE_CHECKING:
    from tests.contracts.forges_under_test import Webhook


class PlainUnderTest:
    """Comments reach the bot through its own page, so a "webhook" of theirs is what `say` gives."""

    signs_bodies = True

    def __init__(self, folder: Path, webhook: type[Webhook]) -> None:
        self.world = PlainWorld(folder)
        self._webhook = webhook
        self.forge: Forge = self.world.forge
        self.tree = self.world.worktree
        self.commit("main", start="0")
        self.push("main")
        self.repository = self.world.repository
        self._said: dict[bytes, Delivery] = {}

    def commit(self, branch: str, **files: str) -> str:
        return self.world.worktree.commit_on(branch, **files)

    def amend(self, branch: str) -> str:
        return self.world.worktree.amend(branch)

    def push(self, *branches: str) -> list[Webhook]:
        self.world.worktree.push(*branches)
        return [self._received()]

    def delete(self, branch: str) -> list[Webhook]:
        self.world.worktree.git("checkout", "--quiet", "main")
        return self.push(f":{branch}")

    def merge(self, branch: str) -> list[Webhook]:
        self.world.worktree.merge(branch)
        return self.push("main")

    def write(self, change: Change, body: str) -> list[Webhook]:
        delivery = self.world.forge.say(change.repository, change.number, "ada", body)
        self._said[delivery.body] = delivery
        return [self._webhook({}, delivery.body)]

    def open(self, webhook: Webhook) -> Delivery:
        if webhook.body in self._said:
            return self._said[webhook.body]
        delivery = self.forge.open_envelope(webhook.headers, webhook.body)
        assert delivery is not None
        return delivery

    def sign(self, body: bytes) -> Webhook:
        return self._webhook({"x-mlops-bot-signature": signature(SECRET, body), "x-mlops-bot-delivery": "id-1"}, body)

    def shown_comments(self, change: Change) -> list[str]:
        return [post.body for post in self.world.records.posts(change.repository, change.number)]

    def shown_checks(self, sha: str) -> list[Check]:
        return self.world.records.checks(self.repository.key, sha)

    def shown_reactions(self, comment_id: str) -> list[str]:
        post = self.world.records.post(comment_id)
        assert post is not None
        return list(post.reactions)

    def shown_deployments(self, environment: str) -> list[tuple[str, DeploymentState]]:
        return []

    def lose_answer(self, to: str) -> None:
        raise NotImplementedError(to)  # it makes no calls

    def join_group(self, group: str, user: str) -> None:
        """There are none."""

    def restart(self) -> None:
        self.forge = self.world.new_forge()

    def close(self) -> None:
        self.world.close()

    def _received(self) -> Webhook:
        message = self.world.receiver.next()
        return self._webhook(message.headers, message.body)
