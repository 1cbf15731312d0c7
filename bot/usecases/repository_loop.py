"""Compare a repository with its forge, so that what no webhook told is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial

import structlog

from bot.domain.change import Change, ChangeSeen, ChangeState, CommentCreated, Event, PushReceived, Repository
from bot.domain.command import parse_commands
from bot.domain.errors import TransientError, UserError
from bot.domain.feedback import reply_id
from bot.markdown import command_lines
from bot.ports.forge import Forge
from bot.ports.store import Claim, Kind, Overtaken
from bot.usecases.deployments.registry_index import index_registry
from bot.usecases.events import handle_event
from bot.usecases.refusals import refuse_event
from bot.usecases.world import World

log = structlog.get_logger()

COMPARE_EVERY_S = 180.0
MOST_CHANGES = 10_000
CLOCKS_DIFFER_BY = timedelta(minutes=2)


def watch_all(world: World) -> None:
    """Take every repository that the forges know into the store; new ones are compared at once."""
    for forge in world.forges.values():
        watch_forge(forge, world)


def watch_forge(forge: Forge, world: World) -> None:
    known = {repository.key: repository for repository in world.store.repositories()}
    for repository in _listed(forge):
        if known.get(repository.key) != repository:
            with world.store.transaction() as tx:
                tx.add_repository(repository, now=world.clock())
            log.info("repository_watched", repository=repository.key)


def compare_soon(world: World) -> None:
    """What happened while the bot was down is found now, not at the next turn."""
    with world.store.transaction() as tx:
        for repository in world.store.repositories():
            tx.wake(Kind.REPOSITORY, repository.key, now=world.clock())


def _listed(forge: Forge) -> Sequence[Repository]:
    """None of a forge that does not answer: it is asked again soon, and the others are not kept waiting."""
    try:
        return forge.repositories()
    except (TransientError, UserError) as error:
        log.warning("forge_unreadable", forge=forge.name, problem=error.problem)
        return ()


def repository_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    return [partial(_compare, claim, world) for claim in claims]


def give_up(claim: Claim, error: str, world: World) -> None:
    """Look again later: a repository that can not be read today may be there tomorrow."""
    log.error("repository_unreadable", repository=claim.id, problem=error)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=world.clock() + timedelta(seconds=COMPARE_EVERY_S))


def _compare(claim: Claim, world: World) -> None:
    repository = world.store.repository(claim.id)
    postponed: TransientError | None = None
    for event in _missed(repository, world) if repository is not None else ():
        try:
            log.info("event_caught_up", repository=claim.id, what=type(event).__name__)
            handle_event(event, world)
        except Overtaken:  # by its webhook
            continue
        except UserError as error:
            log.warning("event_refused", what=type(event).__name__, problem=error.problem)
            refuse_event(event, error, world)
        except TransientError as error:
            postponed = error
    if repository is not None:
        index_registry(repository, world)
    if postponed is not None:
        raise postponed
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=world.clock() + timedelta(seconds=COMPARE_EVERY_S))


def _missed(repository: Repository, world: World) -> Iterator[Event]:
    """What the store is read for stands before what the forge is asked for: so what a webhook brings meanwhile is seen
    as a difference to what was stored, and left alone."""
    yield from _missed_pushes(repository, world)
    known = {change.number: change for change in world.store.changes(repository.key, limit=MOST_CHANGES)}
    for change in world.forge_of(repository.key).changes(repository):
        before = known.get(change.number)
        if before != change and world.store.change(repository.key, change.number) == before:
            yield ChangeSeen(repository, change)
        if change.state is ChangeState.OPEN:
            yield from _missed_comments(repository, change, world)


def _missed_pushes(repository: Repository, world: World) -> Iterator[PushReceived]:
    handled = world.store.heads(repository.key)
    heads = world.forge_of(repository.key).heads(repository)
    for branch in sorted(handled.keys() | heads.keys()):
        before, sha = handled.get(branch), heads.get(branch)
        if before != sha and world.store.heads(repository.key).get(branch) == before:
            yield PushReceived(repository, branch, before, sha, author="")


def _missed_comments(repository: Repository, change: Change, world: World) -> Iterator[CommentCreated]:
    watched_since = world.store.watched_since(repository.key) or world.clock()
    for comment in world.forge_of(repository.key).comments(change):
        if comment.created_at < watched_since - CLOCKS_DIFFER_BY:
            continue  # it was not written to us
        is_answered = world.store.reply(reply_id(comment.repository, comment.id)) is not None
        if not is_answered and parse_commands(command_lines(comment.body)):
            yield CommentCreated(repository, comment)
