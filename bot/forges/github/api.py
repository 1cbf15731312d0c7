"""GitHub as a forge. How it does each thing is in the module named for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from bot.domain.change import (
    Change,
    ChangeSeen,
    CheckActionRequested,
    CheckRerunRequested,
    Comment,
    CommentCreated,
    Delivery,
    Event,
    PushReceived,
    Repository,
    RepositoryGone,
)
from bot.domain.check import Check
from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.domain.feedback import Reaction
from bot.forges.github import webhook
from bot.forges.github.auth import PUSH_CODE, READ_CODE
from bot.forges.github.authors import Authors
from bot.forges.github.changes import Changes
from bot.forges.github.checks import LONGEST_TEXT, Checks
from bot.forges.github.client import Client
from bot.forges.github.comments import LONGEST_COMMENT, Comments
from bot.forges.github.conversations import Conversations
from bot.forges.github.deployments import Deployments
from bot.forges.github.fields import integer, json_object, mapping
from bot.forges.github.health import Health
from bot.forges.github.hooks import AccessChanged, Hook, Source, SuiteRerun, read_hooks, source_of
from bot.forges.github.identity import Identity
from bot.forges.github.members import Members
from bot.forges.github.names import FORGE, full_name_of
from bot.forges.github.newness import Newness, checks_of, comments_of
from bot.forges.github.people import Written
from bot.forges.github.pulls import Pull
from bot.forges.github.reactions import Reactions
from bot.forges.github.redelivery import redeliver_failed
from bot.forges.github.repositories import Repositories
from bot.forges.github.settings import GitHubSettings
from bot.forges.github.statuses import Statuses
from bot.forges.github.teams import Teams
from bot.ports.forge import BadPayload, Capabilities, ForgeDeployment, GitCredential, Permission
from bot.ports.git import Git

log = structlog.get_logger()


class GitHubForge:
    """`git` reads heads, so that they cost no quota. Nothing is asked of GitHub before it is needed."""

    name = FORGE

    def __init__(self, settings: GitHubSettings, *, git: Git, clock: Clock) -> None:
        self.capabilities = Capabilities(
            check_runs=settings.is_app,
            buttons=settings.is_app,
            comment_limit=LONGEST_COMMENT,
            check_text_limit=LONGEST_TEXT,
            deployments=True,
            progress_every_s=10.0,
        )
        self._settings = settings
        self._git = git
        self._clock = clock
        self._client = Client(settings, clock)
        self._newness = Newness(clock)
        self._identity = Identity(self._client, settings.app_id)
        self._repositories = Repositories(self._client, settings, clock)
        self._changes = Changes(self._client, clock)
        self._conversations = Conversations(self._client, self._identity, clock)
        self._comments = Comments(self._client, self._identity, self._newness)
        self._reactions = Reactions(self._client)
        self._members = Members(self._client, clock)
        self._runs = Checks(self._client, settings.app_id, self._newness)
        self._checks = self._runs if settings.is_app else Statuses(self._client)
        self._deployments = Deployments(self._client)
        self._authors = Authors(self._client)
        self._teams = Teams(self._client)
        self._health = Health(self._client, settings, clock)

    @property
    def calls(self) -> Counter[str]:
        """Requests that were made so far, by the kind of thing they were about."""
        return self._client.calls

    def open_envelope(self, headers: Mapping[str, str], body: bytes) -> Delivery | None:
        return webhook.open_envelope(headers, body, secrets=self._settings.webhook_secrets, now=self._clock())

    def events(self, delivery: Delivery) -> Sequence[Event]:
        payload = json_object(delivery.body)
        if payload is None or _order_key(delivery.event, payload) != delivery.order_key:
            log.warning("delivery_not_understood", event_name=delivery.event, place=delivery.order_key)
            return []
        source = source_of(delivery.event, delivery.id, payload, self._settings)
        repository = source.repository
        if repository is not None and not self._settings.names(repository.name):
            log.warning("delivery_for_unknown_repository", repository=repository.key)
            return []
        hooks = read_hooks(payload, source)
        if not hooks:
            log.info("delivery_ignored", event_name=delivery.event, place=delivery.order_key)
        self._note(payload, source, hooks, received_at=delivery.received_at)
        return [event for hook in hooks for event in self._events(hook, source)]

    def repositories(self) -> Sequence[Repository]:
        return self._repositories.all()

    def heads(self, repository: Repository) -> Mapping[str, str]:
        return self._git.heads(repository.clone_address)

    def changes(self, repository: Repository) -> Sequence[Change]:
        return self._changes.listed(_checked(repository.key))

    def comments(self, change: Change) -> Sequence[Comment]:
        moved_at = self._changes.updated_at(_checked(change.repository), change.number)
        written = self._conversations.of(change, updated_at=moved_at)
        for one in written:
            self._reactions.remember(one.comment.id, one.node_id)
        return [one.comment for one in written]

    def permission(self, repository: str, user: str) -> Permission:
        return self._members.permission(full_name_of(_checked(repository)), user)

    def put_comment(self, change: Change, *, marker: str, body: str, known_id: str | None) -> str:
        _checked(change.repository)
        return self._comments.put(change, marker=marker, body=body, known_id=known_id)

    def react(self, repository: str, number: int, comment_id: str, reaction: Reaction) -> None:
        self._reactions.show(full_name_of(_checked(repository)), number, comment_id, reaction)

    def put_check(self, repository: str, check: Check, *, known_id: str | None) -> str:
        return self._checks.put(full_name_of(_checked(repository)), check, known_id=known_id)

    def put_deployment(self, repository: str, deployment: ForgeDeployment, *, known_id: str | None) -> str:
        return self._deployments.put(full_name_of(_checked(repository)), deployment, known_id=known_id)

    def authors(self, change: Change) -> frozenset[str]:
        _checked(change.repository)
        return self._authors.of(change)

    def is_member(self, group: str, user: str) -> bool:
        return self._teams.has(group, user)

    def saves_quota_until(self, repository: str) -> datetime | None:
        return self._client.low_until(full_name_of(_checked(repository)))

    def credential(self, repository: str, *, may_push: bool = False) -> GitCredential | None:
        """May read this one repository's code, or also push to it, and nothing else; a person's token may do what the
        person may."""
        full_name = full_name_of(_checked(repository))
        if not self._settings.names(full_name):
            return None
        token = self._client.authority.token(full_name, PUSH_CODE if may_push else READ_CODE)
        return GitCredential(self._settings.git_origin, username="x-access-token", password=token.value)

    def repository_of(self, clone_address: str) -> str | None:
        """The key of the repository with this clone address; None when it is not on this GitHub."""
        return self._settings.key_of_address(clone_address)

    def redeliver_failed(self, since: datetime) -> int:
        """Ask an App's failed webhooks since then to be sent again. Gives how many."""
        return redeliver_failed(self._client, since=since)

    def check_health(self) -> None:
        self._health.check()

    def _note(
        self, payload: Mapping[str, Any], source: Source, hooks: Sequence[Hook], *, received_at: datetime
    ) -> None:
        """What a webhook tells besides, so that it need not be asked for."""
        installation = integer(mapping(payload, "installation"), "id")
        if source.repository is None:
            return
        full_name = source.repository.name
        if installation and self._client.app is not None:
            self._client.app.remember(full_name, installation)
        for hook in hooks:
            for thing in _told_of(hook, full_name):
                self._newness.tell(thing, received_at=received_at)
            if isinstance(hook, Written):
                self._reactions.remember(hook.comment.id, hook.node_id)

    def _events(self, hook: Hook, source: Source) -> Iterator[Event]:
        match hook:
            case AccessChanged():
                self._access_changed(of_app=source.event.startswith("installation"))
            case RepositoryGone():
                yield hook
            case _ if source.repository is not None:
                yield from self._events_in(source.repository, hook, source)

    def _events_in(self, repository: Repository, hook: Hook, source: Source) -> Iterator[Event]:
        match hook:
            case PushReceived(branch=branch):
                # as the branch is now: what was pushed since then is not undone by a webhook that comes late
                yield replace(hook, after_sha=self._git.heads(repository.clone_address).get(branch))
            case Pull():
                change = self._changes.as_told(hook)
                if change is not None:
                    yield ChangeSeen(repository, change)
            case Written(comment=comment):
                if not self._identity.wrote_as(comment.author, comment.body):
                    yield CommentCreated(repository, comment)
            case SuiteRerun(sha=sha, requested_by=by):
                for name in self._runs.names_at(repository.name, sha):
                    yield CheckRerunRequested(repository, sha, name, by, f"check:{source.delivery_id}:{name}")
            case CheckRerunRequested() | CheckActionRequested():
                yield hook

    def _access_changed(self, *, of_app: bool) -> None:
        self._repositories.list_anew()
        self._members.forget()
        if of_app and self._client.app is not None:
            self._client.app.forget()


def _told_of(hook: Hook, full_name: str) -> Iterator[str]:
    """The places where nothing of ours can be yet."""
    match hook:
        case PushReceived(after_sha=str() as sha):
            yield checks_of(full_name, sha)
        case Pull(change=change, comments=comments):
            yield checks_of(full_name, change.head_sha)
            if comments == 0:
                yield comments_of(full_name, change.number)
        case Written(comment=comment):
            yield comment.id


def _order_key(event: str, payload: Mapping[str, Any]) -> str | None:
    try:
        return webhook.order_key(event, payload) if event in webhook.KINDS else None
    except BadPayload:
        return None


def _checked(repository: str) -> str:
    if not full_name_of(repository):
        raise UserError(f"{repository} is not a repository of GitHub.")
    return repository
