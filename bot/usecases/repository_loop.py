"""Compare a repository with its forge, so that what no webhook told is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial

import structlog

from bot.domain.change import ChangeSeen, ChangeState, CommentCreated, Event, PushReceived, Repository
from bot.ports.store import Claim
from bot.usecases.events import handle_event
from bot.usecases.world import World

log = structlog.get_logger()

COMPARE_EVERY_S = 180.0


def watch_all(world: World) -> None:
    """Take every repository that the forges know into the store; new ones are compared at once."""
    known = {repository.key: repository for repository in world.store.repositories()}
    for forge in world.forges.values():
        for repository in forge.repositories():
            if known.get(repository.key) != repository:
                with world.store.transaction() as tx:
                    tx.add_repository(repository, now=world.clock())
                log.info("repository_watched", repository=repository.key)


def repository_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    return [partial(_compare, claim, world) for claim in claims]


def give_up(claim: Claim, error: str, world: World) -> None:
    """Look again later: a repository that can not be read today may be there tomorrow."""
    log.error("repository_unreadable", repository=claim.id, problem=error)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=world.clock() + timedelta(seconds=COMPARE_EVERY_S))


def _compare(claim: Claim, world: World) -> None:
    repository = world.store.repository(claim.id)
    if repository is None:
        return
    for event in _missed(repository, world):
        log.info("event_caught_up", repository=repository.key, what=type(event).__name__)
        handle_event(event, world)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=world.clock() + timedelta(seconds=COMPARE_EVERY_S))


def _missed(repository: Repository, world: World) -> Iterator[Event]:
    forge = world.forge_of(repository.key)
    handled = world.store.heads(repository.key)
    heads = forge.heads(repository)
    for branch, sha in sorted(heads.items()):
        if handled.get(branch) != sha:
            yield PushReceived(repository, branch, handled.get(branch), sha, author="")
    for branch in sorted(set(handled) - set(heads)):
        yield PushReceived(repository, branch, handled[branch], None, author="")
    for change in forge.changes(repository):
        if world.store.change(repository.key, change.number) != change:
            yield ChangeSeen(repository, change)
        if change.state is ChangeState.OPEN:
            for comment in forge.comments(change):
                if world.store.reply(f"reply:{comment.id}") is None:
                    yield CommentCreated(repository, comment)
