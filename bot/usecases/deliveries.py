"""Turn a stored webhook into rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from bot.domain.change import CommentCreated
from bot.domain.feedback import Reaction, Reply
from bot.ports.store import Claim
from bot.usecases.events import handle_event
from bot.usecases.world import World

log = structlog.get_logger()


def delivery_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    return [partial(_handle, claim, world) for claim in claims]


def give_up(claim: Claim, error: str, world: World) -> None:
    """Stop trying a delivery; whoever wrote a comment is told so."""
    delivery = world.store.delivery(claim.id)
    comments = []
    if delivery is not None:
        events = world.forges[delivery.forge].events(delivery)
        comments = [event.comment for event in events if isinstance(event, CommentCreated)]
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
        for comment in comments:
            body = "mlops-bot failed to carry this out. It is not your fault; please write it once more."
            reply = Reply(f"reply:{comment.id}", comment.repository, comment.number, comment.id, Reaction.REFUSED, body)
            tx.add_reply(reply, now=world.clock())
    log.error("delivery_given_up", delivery_id=claim.id, problem=error)


def _handle(claim: Claim, world: World) -> None:
    delivery = world.store.delivery(claim.id)
    if delivery is not None:
        with structlog.contextvars.bound_contextvars(delivery_id=delivery.id):
            for event in world.forges[delivery.forge].events(delivery):
                handle_event(event, world)
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)
