"""Plain git as a forge: branches are changes, and what people say is kept by the bot itself."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import structlog

from bot.domain.change import (
    Change,
    ChangeSeen,
    ChangeState,
    Comment,
    CommentCreated,
    Delivery,
    Event,
    PushReceived,
    Repository,
)
from bot.domain.check import Check
from bot.domain.clock import Clock
from bot.domain.errors import TransientError, UserError
from bot.domain.feedback import Reaction
from bot.forges.plain import folder, webhook
from bot.forges.plain.auth import EVERYBODY
from bot.forges.plain.changes import Changes
from bot.forges.plain.hook import Hooks
from bot.ports.forge import Capabilities, ForgeDeployment, GitCredential, Permission
from bot.ports.git import Git
from bot.ports.plain_records import PlainRecords, Post

LONGEST_COMMENT = 65_536  # characters, as on GitHub
BOT = "mlops-bot"
# of changes that have ended, this many of the newest are reported when catching up
ENDED_CHANGES = 100
# of a change, the authors of this many of its oldest commits are read
MOST_AUTHORED_COMMITS = 1_000

log = structlog.get_logger()


class PlainForge:
    """`repositories_folder` holds bare repositories `<name>.git`, or links to them. `home` is the bot's own folder."""

    name = webhook.FORGE
    capabilities = Capabilities(
        check_runs=True, buttons=False, comment_limit=LONGEST_COMMENT, check_text_limit=LONGEST_COMMENT
    )

    def __init__(
        self,
        repositories_folder: Path,
        *,
        home: Path,
        records: PlainRecords,
        git: Git,
        hook_secret: str,
        clock: Clock,
    ) -> None:
        self._folder = repositories_folder
        self._records = records
        self._git = git
        self._secret = hook_secret
        self._clock = clock
        self._hooks = Hooks(home, hook_secret)
        # reading branches and recording what follows from them is one step, or an older look could undo a newer one
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._warned: set[tuple[str, str]] = set()

    def open_envelope(self, headers: Mapping[str, str], body: bytes) -> Delivery | None:
        return webhook.open_envelope(headers, body, secret=self._secret, now=self._clock())

    def events(self, delivery: Delivery) -> Sequence[Event]:
        repository = self._find(delivery.order_key)
        if repository is None:
            log.warning("delivery_for_unknown_repository", repository=delivery.order_key)
            return []
        if delivery.event == webhook.COMMENT:
            return list(self._comment_events(repository, webhook.read_comment(delivery.body)))
        return list(self._push_events(repository, webhook.read_push(delivery.body)))

    def say(self, repository: str, number: int, author: str, body: str) -> Delivery:
        """Keep a comment by a person; the delivery that tells of it is for the caller to store. If that fails, the
        comment is found when the repository is compared."""
        if self._records.change(repository, number) is None:
            raise UserError(f"There is no change {number} in {repository}.")
        if not body.strip():
            raise UserError("The comment is empty.", "Write a word, or a command such as `/help`.")
        if len(body) > LONGEST_COMMENT:
            raise UserError(f"The comment is longer than {LONGEST_COMMENT:,} characters.", "Write a shorter one.")
        post = self._records.add_post(
            repository, number, author=author.strip()[:100] or "unknown", body=body, is_bot=False, now=self._clock()
        )
        return webhook.comment_delivery(post)

    def repositories(self) -> Sequence[Repository]:
        """Also puts the hook into those that are new."""
        self._folder.mkdir(parents=True, exist_ok=True)
        found = []
        for name, path in folder.watched(self._folder):
            key = folder.key_of(name)
            self._install_hook(path, key)
            try:
                found.append(self._repository(key, path))
            except (UserError, TransientError) as error:  # a broken one must not keep the others from being watched
                self._warn_once("repository_unreadable", key, error)
        return found

    def heads(self, repository: Repository) -> Mapping[str, str]:
        return self._git.heads(repository.clone_address)

    def changes(self, repository: Repository) -> Sequence[Change]:
        with self._locks[repository.key]:
            changes = self._changes(repository)
            changed = {change.number: change for change in changes.converge_open()}
            changes.converge_branches(sorted(changes.heads))
        recorded = self._records.changes(repository.key)
        newest = sorted((change.number for change in recorded), reverse=True)[:ENDED_CHANGES]
        return [
            change
            for change in recorded
            if change.state is ChangeState.OPEN or change.number in changed or change.number in newest
        ]

    def comments(self, change: Change) -> Sequence[Comment]:
        return [_comment(post) for post in self._records.posts(change.repository, change.number) if not post.is_bot]

    def permission(self, repository: str, user: str) -> Permission:  # noqa: ARG002 - the port's signature
        return EVERYBODY

    def put_comment(self, change: Change, *, marker: str, body: str, known_id: str | None) -> str:
        there = self._bots_post(change, marker, known_id)
        if there is None:
            there = self._records.add_post(
                change.repository, change.number, author=BOT, body=body, is_bot=True, now=self._clock()
            )
        elif there.body != body:
            self._records.save_post(there.id, body=body, now=self._clock())
        return there.id

    def react(self, repository: str, number: int, comment_id: str, reaction: Reaction) -> None:
        post = self._records.post(comment_id)
        if post is None or (post.repository, post.number) != (repository, number):
            raise UserError(f"There is no comment {comment_id} on change {number} of {repository}.")
        self._records.set_reactions(comment_id, [str(reaction)])

    def put_check(self, repository: str, check: Check, *, known_id: str | None) -> str:  # noqa: ARG002 - found by name
        return self._records.save_check(repository, check)

    def put_deployment(self, repository: str, deployment: ForgeDeployment, *, known_id: str | None) -> str:  # noqa: ARG002 - the port's signature
        raise UserError("Plain git shows no deployments.", "They are on the bot's own pages.")

    def authors(self, change: Change) -> frozenset[str]:
        path = folder.find(self._folder, change.repository)
        if path is None:
            return frozenset({change.author})
        target = self._git.heads(str(path)).get(change.target_branch)
        base = self._git.merge_base(str(path), target, change.head_sha) if target else None
        commits = self._git.commits_between(str(path), base, change.head_sha, limit=MOST_AUTHORED_COMMITS)
        return frozenset({change.author, *(commit.author_name for commit in commits)})

    def is_member(self, group: str, user: str) -> bool:  # noqa: ARG002 - the port's signature
        return False  # plain git knows no groups

    def saves_quota_until(self, repository: str) -> datetime | None:  # noqa: ARG002 - the port's signature
        return None  # nobody counts calls here

    def repository_of(self, clone_address: str) -> str | None:  # noqa: ARG002 - the port's signature
        return None  # folders of this machine have one owner: whoever runs the bot

    def credential(self, repository: str, *, may_push: bool = False) -> GitCredential | None:  # noqa: ARG002 - the port's signature
        return None  # a folder of this machine

    def check_health(self) -> None:
        try:
            next(iter(self._folder.iterdir()), None)
        except FileNotFoundError:
            return  # made when the first repository comes
        except OSError as error:
            raise TransientError(f"The folder of repositories can not be read: {error.strerror}.") from error

    def _find(self, key: str) -> Repository | None:
        path = folder.find(self._folder, key)
        return None if path is None else self._repository(key, path)

    def _repository(self, key: str, path: Path) -> Repository:
        return Repository(key, clone_address=str(path), default_branch=self._git.default_branch(str(path)))

    def _changes(self, repository: Repository) -> Changes:
        return Changes(repository, self.heads(repository), self._records, self._git, self._clock)

    def _push_events(self, repository: Repository, push: webhook.Push) -> Iterator[Event]:
        with self._locks[repository.key]:
            changes = self._changes(repository)
            updates = _all_branches(changes.heads) if push.branches is None else push.branches
            branches = [update.branch for update in updates]
            seen = {change.number: change for change in changes.converge_branches(branches)}
            if repository.default_branch in branches:
                seen |= {change.number: change for change in changes.converge_open()}
        for update in updates:
            # where the branch is now: a push after it may have come first
            yield PushReceived(repository, update.branch, update.before, changes.heads.get(update.branch), push.pusher)
        for number in sorted(seen):
            yield ChangeSeen(repository, seen[number])

    def _comment_events(self, repository: Repository, post_id: str) -> Iterator[Event]:
        post = self._records.post(post_id)
        if post is not None and not post.is_bot:
            yield CommentCreated(repository, _comment(post))

    def _bots_post(self, change: Change, marker: str, known_id: str | None) -> Post | None:
        known = self._records.post(known_id) if known_id else None
        if known is not None and known.is_bot:
            return known
        posts = self._records.posts(change.repository, change.number)
        return next((post for post in posts if post.is_bot and marker in post.body), None)

    def _install_hook(self, path: Path, key: str) -> None:
        """Without it, pushes are found when the repository is compared."""
        try:
            self._hooks.install(path, key)
            self._warned.discard(("hook_not_installed", key))
        except UserError as error:
            self._warn_once("hook_not_installed", key, error)

    def _warn_once(self, event: str, key: str, error: UserError | TransientError) -> None:
        if (event, key) not in self._warned:
            log.warning(event, repository=key, problem=error.problem)
        self._warned.add((event, key))


def _all_branches(heads: Mapping[str, str]) -> tuple[webhook.BranchUpdate, ...]:
    return tuple(webhook.BranchUpdate(branch, None, sha) for branch, sha in sorted(heads.items()))


def _comment(post: Post) -> Comment:
    return Comment(post.id, post.repository, post.number, post.author, post.body, post.created_at)
