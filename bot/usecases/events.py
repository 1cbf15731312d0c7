"""One event: decide, then write. Safe to repeat, so it may come from a webhook, from catching up, or from both."""

from __future__ import annotations

from bot.domain.change import (
    ChangeSeen,
    CheckActionRequested,
    CheckRerunRequested,
    CommentCreated,
    Event,
    PushReceived,
    RepositoryGone,
)
from bot.usecases.changes import change_seen
from bot.usecases.commands import comment_created
from bot.usecases.pushes import push_received
from bot.usecases.reruns import check_action_requested, check_rerun_requested, repository_gone
from bot.usecases.world import World
from bot.usecases.writes import Writes, apply


def handle_event(event: Event, world: World) -> None:
    writes = _decide(event, world)
    with world.store.transaction() as tx:
        apply(writes, tx, now=world.clock())


def _decide(event: Event, world: World) -> Writes:
    match event:
        case PushReceived():
            return push_received(event, world)
        case ChangeSeen():
            return change_seen(event, world)
        case CommentCreated():
            return comment_created(event, world)
        case CheckRerunRequested():
            return check_rerun_requested(event, world)
        case CheckActionRequested():
            return check_action_requested(event, world)
        case RepositoryGone():
            return repository_gone(event, world)
