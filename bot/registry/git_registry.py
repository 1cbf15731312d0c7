"""The Registry port on the Git port: one repository's tags, read and made."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bot.domain.change import Repository
from bot.domain.errors import TransientError, UserError
from bot.domain.version import Assignment, VersionLock, assignment_tag
from bot.domain.words import quoted
from bot.lock_file import LOCK_FILE, LOCK_LIMIT_BYTES, BadLock, parse_lock, render_lock
from bot.ports.git import Git, PushRefused, Tag, TagExists
from bot.ports.registry import Record, TaggedVersion, TagTaken
from bot.registry.dvc_file import DVC_CONFIG, DVC_FILE, DVC_LIMIT_BYTES, with_artifact
from bot.registry.events import (
    Event,
    assignment_of,
    events_of,
    highest_numbers,
    highest_serials,
    newest_versions,
    standing,
)
from bot.registry.messages import (
    DEPLOYMENT,
    asked_by,
    assignment_message,
    bot_signature,
    facts,
    person,
    version_message,
)
from bot.registry.tag_names import is_ours, parse_tag_name

CARD_FILE = "MODEL_CARD.md"
REMEMBERED_LOCKS = 5_000  # of some kilobytes each
_PERMISSION = {
    "github": "Give the GitHub App the permission `Contents: write` (a token: the right to push), and let it bypass "
    "the rules that protect tags.",
    "gitlab": "Give the bot's user the role Developer or a higher one in the project, and add it to those who may "
    "create protected tags (Settings, Repository, Protected tags).",
    "plain": "Let the service's user write to the repository's folder, and see what its own hooks say.",
}
_Lock = tuple[VersionLock | None, str]  # or why there is none


class GitRegistry:
    """Reads through the mirror, and writes by pushes that the repository may refuse."""

    def __init__(self, git: Git) -> None:
        self._git = git
        self._locks: dict[str, _Lock] = {}  # by commit: what one holds never changes

    def read(self, repository: Repository) -> Record:
        events = events_of(self._git.tags(repository.clone_address, named=is_ours))
        made = standing(events)
        versions = newest_versions(made)
        locks = self._read_locks(repository, [event.tag.commit_sha for event in versions])
        return Record(
            versions=tuple(_tagged(event, locks) for event in versions),
            assignments=tuple(assignment_of(repository.key, event) for event in made if event.name.environment),
            numbers=highest_numbers(events),
            serials=highest_serials(events),
        )

    def register(self, repository: Repository, lock: VersionLock, *, card: str, by: str, at: datetime) -> TaggedVersion:
        if not is_ours(lock.tag):
            raise UserError(f"{quoted(lock.tag)} can not be a version's tag.", "Rename the model.")
        address, signature = repository.clone_address, bot_signature(at)
        message = version_message(lock, by)
        files = self._files(repository, lock, card)
        sha = self._git.write_commit(address, lock.sha, files, message=message, by=signature)
        tag = Tag(lock.tag, sha, message, signature)
        try:
            self._push(repository, tag)
        except TagExists:
            return self._registered(repository, lock)
        return TaggedVersion(lock.model, lock.number, sha, person(by), signature.at, lock)

    def assign(
        self,
        repository: Repository,
        *,
        model: str,
        environment: str,
        serial: int,
        commit_sha: str,
        deployment_id: str,
        by: str,
        at: datetime,
    ) -> Assignment:
        name = assignment_tag(model, environment, serial)
        if not is_ours(name):
            raise UserError(f"{quoted(name)} can not be an assignment's tag.", "Rename the model or the environment.")
        there = self._assignments(repository, model, environment)
        message = assignment_message(model, environment, by, deployment_id)
        tag = Tag(name, commit_sha, message, bot_signature(_after(there, at)))
        earlier = next((event.tag for event in there if event.tag.name == name), None)
        if earlier is None:
            try:
                self._push(repository, tag)
            except TagExists:
                earlier = self._there_now(repository, name)
        if earlier is not None and not _is_same_assignment(earlier, tag):
            raise TagTaken(name)
        return assignment_of(repository.key, events_of([earlier or tag])[0])

    def _files(self, repository: Repository, lock: VersionLock, card: str) -> dict[str, bytes]:
        address, sha = repository.clone_address, lock.sha
        files = {LOCK_FILE: render_lock(lock)}
        if card:
            files[CARD_FILE] = card.encode("utf-8", "replace")
        project = with_artifact(self._git.read(address, sha, DVC_FILE, limit_bytes=DVC_LIMIT_BYTES), lock.model)
        if project is not None:
            files[DVC_FILE] = project
        if self._git.read(address, sha, DVC_CONFIG, limit_bytes=0) is None:
            files[DVC_CONFIG] = b""
        return files

    def _push(self, repository: Repository, tag: Tag) -> None:
        try:
            self._git.push_tags(repository.clone_address, [tag])
        except PushRefused as refused:
            raise UserError(refused.problem, _PERMISSION.get(repository.forge, refused.fix)) from refused

    def _there_now(self, repository: Repository, name: str) -> Tag:
        tags = self._git.tags(repository.clone_address, named=lambda other: other == name)
        if not tags:  # gone again, or a tag without annotation
            raise TransientError(f"The tag {quoted(name)} could not be made in {quoted(repository.key)}.")
        return tags[0]

    def _registered(self, repository: Repository, lock: VersionLock) -> TaggedVersion:
        """The version of the same meaning that is there."""
        event = events_of([self._there_now(repository, lock.tag)])[0]
        tagged = _tagged(event, self._read_locks(repository, [event.tag.commit_sha]))
        if tagged.lock is None or render_lock(tagged.lock) != render_lock(lock):
            raise TagTaken(lock.tag)
        return tagged

    def _assignments(self, repository: Repository, model: str, environment: str) -> list[Event]:
        def concerns(text: str) -> bool:
            name = parse_tag_name(text)
            return name is not None and (name.model, name.environment) == (model, environment)

        return events_of(self._git.tags(repository.clone_address, named=concerns))

    def _read_locks(self, repository: Repository, shas: list[str]) -> dict[str, _Lock]:
        locks = {sha: lock for sha in shas if (lock := self._locks.get(sha)) is not None}
        unread = [sha for sha in shas if sha not in locks]
        contents = self._git.read_each(repository.clone_address, unread, LOCK_FILE, limit_bytes=LOCK_LIMIT_BYTES)
        for sha, content in contents.items():
            locks[sha] = _lock(content, self._git.commit(repository.clone_address, sha).parents)
        if len(self._locks) + len(contents) > REMEMBERED_LOCKS:
            self._locks.clear()
        self._locks.update(locks)
        return locks


def _tagged(event: Event, locks: Mapping[str, _Lock]) -> TaggedVersion:
    model, number = event.name.model, event.name.number
    assert number is not None
    lock, problem = locks[event.tag.commit_sha]
    if lock is not None and (lock.model, lock.number) != (model, number):
        problem = f"Its {LOCK_FILE} is that of {quoted(lock.tag)}: the tag was moved or copied by hand."
        lock = None
    return TaggedVersion(model, number, event.tag.commit_sha, asked_by(event.tag), event.tag.by.at, lock, problem)


def _lock(content: bytes | None, parents: tuple[str, ...]) -> _Lock:
    if content is None:
        return None, f"Its commit has no {LOCK_FILE}: the tag was not made by the bot."
    try:
        lock = parse_lock(content)
    except BadLock as error:
        return None, error.problem
    if parents != (lock.sha,):
        return None, f"Its {LOCK_FILE} is about another commit than the one that its own commit follows."
    return lock, ""


def _is_same_assignment(there: Tag, wanted: Tag) -> bool:
    same_deployment = facts(there).get(DEPLOYMENT) == facts(wanted).get(DEPLOYMENT)
    return there.commit_sha == wanted.commit_sha and same_deployment


def _after(events: list[Event], at: datetime) -> datetime:
    """A second after the newest, if a clock went wrong: GTO goes by time, so the last one made has to be the newest."""
    newest = max((event.tag.by.at for event in events), default=None)
    return at if newest is None else max(at, newest + timedelta(seconds=1))
