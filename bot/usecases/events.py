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
from bot.ports.store import Overtaken
from bot.usecases.changes import change_seen
from bot.usecases.commands import comment_created, mend_reaction
from bot.usecases.pushes import push_received
from bot.usecases.reruns import check_action_requested, check_rerun_requested, repository_gone
from bot.usecases.world import World
from bot.usecases.writes import Writes, apply


def handle_event(event: Event, world: World) -> None:
    """Raises Overtaken, with nothing written, when the same was handled by somebody else meanwhile."""
    writes = _decide(event, world)
    try:
        with world.store.transaction() as tx:
            apply(writes, tx, now=world.clock())
    except Overtaken:
        if isinstance(event, CommentCreated):
            mend_reaction(event.comment, world)
        raise


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
