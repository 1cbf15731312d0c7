"""GitLab as a forge. What it can do is in `capabilities`; how it does each thing, in the module named for that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import structlog

from bot.domain.change import Change, ChangeSeen, Comment, CommentCreated, Delivery, Event, PushReceived, Repository
from bot.domain.check import Check
from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.domain.feedback import Reaction
from bot.forges.gitlab import webhook
from bot.forges.gitlab.authors import Authors
from bot.forges.gitlab.awards import Awards
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.deployments import Deployments
from bot.forges.gitlab.health import Health
from bot.forges.gitlab.members import Members
from bot.forges.gitlab.merge_requests import MergeRequests
from bot.forges.gitlab.names import FORGE, key_of, path_of
from bot.forges.gitlab.newness import Newness, merge_request_in, note_in
from bot.forges.gitlab.notes import Notes
from bot.forges.gitlab.projects import Projects
from bot.forges.gitlab.settings import GitLabSettings
from bot.forges.gitlab.statuses import LONGEST_DESCRIPTION, Statuses
from bot.forges.gitlab.user import OwnUser
from bot.ports.forge import Capabilities, ForgeDeployment, GitCredential, Permission
from bot.ports.git import Git

# GitLab takes 1,000,000 characters (GitLab docs, "Notes API"); disarming quick actions adds some
LONGEST_NOTE = 990_000

log = structlog.get_logger()


class GitLabForge:
    """`git` reads heads, so that they cost no quota. Nothing is asked of GitLab before it is needed."""

    name = FORGE
    capabilities = Capabilities(
        check_runs=False,
        checks_on_forks=False,
        buttons=False,
        comment_limit=LONGEST_NOTE,
        check_text_limit=LONGEST_DESCRIPTION,
        deployments=True,
        progress_every_s=10.0,
    )

    def __init__(self, settings: GitLabSettings, *, git: Git, clock: Clock) -> None:
        self._settings = settings
        self._git = git
        self._clock = clock
        self._client = Client(settings, clock)
        self._user = OwnUser(self._client)
        self._projects = Projects(self._client, settings, clock)
        self._newness = Newness(clock)
        self._notes = Notes(self._client, self._user, self._newness)
        self._merge_requests = MergeRequests(self._client, self._notes, git, clock)
        self._members = Members(self._client, clock)
        self._awards = Awards(self._client)
        self._statuses = Statuses(self._client)
        self._deployments = Deployments(self._client)
        self._authors = Authors(self._client)
        self._health = Health(self._client, clock)

    @property
    def calls(self) -> Counter[str]:
        """Requests that were made so far, by the kind of thing they were about."""
        return self._client.calls

    def open_envelope(self, headers: Mapping[str, str], body: bytes) -> Delivery | None:
        return webhook.open_envelope(headers, body, secrets=self._settings.webhook_secrets, now=self._clock())

    def events(self, delivery: Delivery) -> Sequence[Event]:
        hook = webhook.read(delivery.body)
        key = webhook.path_of_order_key(delivery.order_key)
        default_branch = hook.default_branch if isinstance(hook, webhook.Push) else ""
        repository = self._projects.find(key, default_branch=default_branch)
        if hook is None or repository is None or key != key_of(hook.path):
            log.warning("delivery_for_unknown_repository", repository=key)
            return []
        self._note_what_is_new(hook, received_at=delivery.received_at)
        return list(self._events(hook, repository, delivery.received_at))

    def repositories(self) -> Sequence[Repository]:
        return self._projects.all()

    def heads(self, repository: Repository) -> Mapping[str, str]:
        return self._git.heads(repository.clone_address)

    def changes(self, repository: Repository) -> Sequence[Change]:
        return self._merge_requests.listed(repository)

    def comments(self, change: Change) -> Sequence[Comment]:
        return self._notes.of_people(change)

    def permission(self, repository: str, user: str) -> Permission:
        return self._members.permission(_checked_path(repository), user)

    def put_comment(self, change: Change, *, marker: str, body: str, known_id: str | None) -> str:
        _checked_path(change.repository)
        return self._notes.put(change, marker=marker, body=body, known_id=known_id)

    def react(self, repository: str, number: int, comment_id: str, reaction: Reaction) -> None:
        if not (comment_id.isascii() and comment_id.isdigit()):
            raise UserError(f"There is no comment {comment_id} on change {number} of {repository}.")
        self._awards.show(_checked_path(repository), number, int(comment_id), reaction)

    def put_check(self, repository: str, check: Check, *, known_id: str | None) -> str:  # noqa: ARG002 - found by name
        """A status has no lasting id: a new one takes the place of one that has ended. Commit and name tell it."""
        self._statuses.put(_checked_path(repository), check)
        return f"{check.sha}:{check.name}"

    def put_deployment(self, repository: str, deployment: ForgeDeployment, *, known_id: str | None) -> str:
        return self._deployments.put(_checked_path(repository), deployment, known_id=known_id)

    def authors(self, change: Change) -> frozenset[str]:
        _checked_path(change.repository)
        return self._authors.of(change)

    def is_member(self, group: str, user: str) -> bool:
        return self._members.is_in_group(group, user)

    def saves_quota_until(self, repository: str) -> datetime | None:  # noqa: ARG002 - the quota is the token's
        return self._client.low_until

    def credential(self, repository: str, *, may_push: bool = False) -> GitCredential | None:  # noqa: ARG002 - it is what it is
        """For a watched repository alone. GitLab has no tokens that are made for one repository on the way."""
        if not self._projects.is_known(repository):
            return None
        return GitCredential(self._settings.origin, username="oauth2", password=self._settings.token)

    def repository_of(self, clone_address: str) -> str | None:
        """The key of the repository with this clone address; None when it is not on this GitLab."""
        path = self._settings.path_of(clone_address)
        return key_of(path) if path else None

    def check_health(self) -> None:
        self._health.check()

    def _note_what_is_new(self, hook: webhook.Hook, *, received_at: datetime) -> None:
        match hook:
            case webhook.MergeRequestHook(path=path, merge_request=opened, opens=True):
                thing = merge_request_in(path, opened.number)
                self._newness.tell(thing, made_at=opened.opened_at, received_at=received_at)
            case webhook.Note(path=path, id=note_id, created_at=created_at):
                self._newness.tell(note_in(path, note_id), made_at=created_at, received_at=received_at)

    def _events(self, hook: webhook.Hook, repository: Repository, received_at: datetime) -> Iterator[Event]:
        match hook:
            case webhook.Push():
                # as the branch is now: what was pushed since then is not undone by a hook that comes late
                now = self._git.heads(repository.clone_address).get(hook.branch)
                yield PushReceived(repository, hook.branch, hook.before, now, hook.author)
            case webhook.MergeRequestHook():
                change = self._merge_requests.as_told(
                    repository, hook.merge_request, dict(hook.usernames), received_at=received_at
                )
                if change is not None:
                    yield ChangeSeen(repository, change)
            case webhook.Note():
                if not self._notes.is_bots(hook.author_id, hook.body):
                    comment = Comment(
                        str(hook.id), repository.key, hook.number, hook.author, hook.body, hook.created_at
                    )
                    yield CommentCreated(repository, comment)


def _checked_path(repository: str) -> str:
    path = path_of(repository)
    if not path:
        raise UserError(f"{repository} is not a repository of GitLab.")
    return path
