"""A verified webhook's payload, in our own words. What is not as documented is left out, never an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.domain.change import CheckActionRequested, CheckRerunRequested, PushReceived, Repository, RepositoryGone
from bot.forges.github.fields import integer, mapping, mappings, text
from bot.forges.github.names import is_branch, is_full_name, is_login, is_no_sha, is_sha, key_of
from bot.forges.github.people import CommentKind, Written, read_written
from bot.forges.github.pulls import Pull, read_pull
from bot.forges.github.settings import GitHubSettings
from bot.forges.github.webhook import BRANCHES


@dataclass(frozen=True, slots=True)
class SuiteRerun:
    """All of the bot's checks of a commit are asked for again."""

    sha: str
    requested_by: str


@dataclass(frozen=True, slots=True)
class AccessChanged:
    """Which repositories the bot sees, or who may do what there, is not what it was."""


Hook = (
    PushReceived
    | Pull
    | Written
    | CheckRerunRequested
    | CheckActionRequested
    | SuiteRerun
    | RepositoryGone
    | AccessChanged
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a payload comes from. `repository` is None for what is about several, or not as documented."""

    event: str
    delivery_id: str
    repository: Repository | None
    app_id: int


def source_of(event: str, delivery_id: str, payload: Mapping[str, Any], settings: GitHubSettings) -> Source:
    fields = mapping(payload, "repository")
    full_name, default_branch = text(fields, "full_name"), text(fields, "default_branch")
    repository = None
    if is_full_name(full_name) and is_branch(default_branch):
        repository = Repository(key_of(full_name), settings.clone_address(full_name), default_branch)
    return Source(event, delivery_id, repository, settings.app_id)


def read_hooks(payload: Mapping[str, Any], source: Source) -> list[Hook]:
    return list(_READERS[source.event](payload, source))


def _push(payload: Mapping[str, Any], source: Source) -> Iterator[Hook]:
    branch = text(payload, "ref").removeprefix(BRANCHES)
    before, after = text(payload, "before"), text(payload, "after")
    if source.repository is None or not is_branch(branch):
        return
    if all(is_sha(end) or is_no_sha(end) for end in (before, after)):
        yield PushReceived(
            source.repository,
            branch,
            before if is_sha(before) else None,
            after if is_sha(after) else None,
            _login(payload, "sender") or text(mapping(payload, "pusher"), "name"),
        )


def _pull_request(payload: Mapping[str, Any], source: Source) -> Iterator[Hook]:
    pull = read_pull(mapping(payload, "pull_request"), source.repository.name) if source.repository else None
    if pull is not None:
        yield pull


def _comment(kind: CommentKind, field: str, parent: str) -> Callable[[Mapping[str, Any], Source], Iterator[Hook]]:
    def read(payload: Mapping[str, Any], source: Source) -> Iterator[Hook]:
        if source.repository is None:
            return
        number = integer(mapping(payload, parent), "number")
        written = read_written(kind, mapping(payload, field), source.repository.name, number)
        if written is not None:
            yield written

    return read


def _check_run(payload: Mapping[str, Any], source: Source) -> Iterator[Hook]:
    run, by = mapping(payload, "check_run"), _login(payload, "sender")
    sha, name = text(run, "head_sha"), text(run, "name")
    if source.repository is None or not by or not is_sha(sha) or not name:
        return
    if not _is_ours(run, source):
        return
    trigger = f"check:{source.delivery_id}"
    if text(payload, "action") == "rerequested":
        yield CheckRerunRequested(source.repository, sha, name, by, trigger)
    else:
        action = text(mapping(payload, "requested_action"), "identifier")
        yield CheckActionRequested(source.repository, sha, name, action, by, trigger)


def _check_suite(payload: Mapping[str, Any], source: Source) -> Iterator[Hook]:
    suite, by = mapping(payload, "check_suite"), _login(payload, "sender")
    if source.repository is not None and by and _is_ours(suite, source) and is_sha(text(suite, "head_sha")):
        yield SuiteRerun(text(suite, "head_sha"), by)


def _repository(payload: Mapping[str, Any], _source: Source) -> Iterator[Hook]:
    yield AccessChanged()
    full_name, action = text(mapping(payload, "repository"), "full_name"), text(payload, "action")
    owner, _, name = full_name.partition("/")
    match action:
        case "renamed":
            gone = f"{owner}/{text(mapping(payload, 'changes', 'repository', 'name'), 'from')}"
        case "transferred":
            former = mapping(payload, "changes", "owner", "from")
            former_owner = mapping(former, "user") or mapping(former, "organization")
            gone = f"{text(former_owner, 'login')}/{name}"
        case "deleted" | "archived":
            gone = full_name
        case _:
            return
    if is_full_name(gone):
        yield RepositoryGone(key_of(gone), f"it was {action} on GitHub")


def _installation(payload: Mapping[str, Any], _source: Source) -> Iterator[Hook]:
    yield AccessChanged()
    reasons = {"deleted": "the App was uninstalled", "suspend": "the App's installation was suspended"}
    reason = reasons.get(text(payload, "action"))
    if reason:
        yield from _gone(mappings(payload, "repositories"), reason)


def _installation_repositories(payload: Mapping[str, Any], _source: Source) -> Iterator[Hook]:
    yield AccessChanged()
    yield from _gone(mappings(payload, "repositories_removed"), "the App may no longer see it")


def _gone(repositories: list[Mapping[str, Any]], reason: str) -> Iterator[Hook]:
    for fields in repositories:
        full_name = text(fields, "full_name")
        if is_full_name(full_name):
            yield RepositoryGone(key_of(full_name), reason)


def _is_ours(check: Mapping[str, Any], source: Source) -> bool:
    """Other Apps' checks are theirs."""
    return bool(source.app_id) and integer(mapping(check, "app"), "id") == source.app_id


def _login(payload: Mapping[str, Any], name: str) -> str:
    login = text(mapping(payload, name), "login")
    return login if is_login(login) else ""


_READERS: Mapping[str, Callable[[Mapping[str, Any], Source], Iterator[Hook]]] = {
    "push": _push,
    "pull_request": _pull_request,
    "issue_comment": _comment(CommentKind.CONVERSATION, "comment", "issue"),
    "pull_request_review": _comment(CommentKind.REVIEW, "review", "pull_request"),
    "pull_request_review_comment": _comment(CommentKind.DIFF, "comment", "pull_request"),
    "check_run": _check_run,
    "check_suite": _check_suite,
    "repository": _repository,
    "installation": _installation,
    "installation_repositories": _installation_repositories,
}
