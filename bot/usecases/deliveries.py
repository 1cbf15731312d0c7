"""Turn a stored webhook into rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import structlog

from bot.domain.change import Event
from bot.domain.errors import TransientError, UserError
from bot.ports.store import Claim, Overtaken
from bot.usecases.events import handle_event
from bot.usecases.refusals import refuse_event
from bot.usecases.world import World

log = structlog.get_logger()

OVERTAKEN_RETRY_S = 0.1
NOT_YOUR_FAULT = "mlops-bot failed to carry this out. It is not your fault."


def delivery_tasks(claims: Sequence[Claim], world: World) -> list[Callable[[], None]]:
    return [partial(_handle, claim, world) for claim in claims]


def give_up(claim: Claim, error: str, world: World) -> None:
    """Stop trying a delivery, so that those behind it have their turn; its author is told."""
    log.error("delivery_given_up", delivery_id=claim.id, problem=error)
    try:
        for event in _events(claim, world):
            refuse_event(event, UserError(NOT_YOUR_FAULT, "Please try once more."), world)
    finally:
        world.store.fail(claim, error=error, next_check_at=None)


def _handle(claim: Claim, world: World) -> None:
    with structlog.contextvars.bound_contextvars(delivery_id=claim.id):
        for event in _events(claim, world):
            try:
                handle_event(event, world)
            except UserError as error:
                log.warning("event_refused", what=type(event).__name__, problem=error.problem)
                refuse_event(event, error, world)
            except Overtaken as error:  # by catching up: what stands there now decides
                raise TransientError(str(error), retry_after_s=OVERTAKEN_RETRY_S) from error
    with world.store.transaction() as tx:
        tx.settle(claim, next_check_at=None)


def _events(claim: Claim, world: World) -> Sequence[Event]:
    delivery = world.store.delivery(claim.id)
    return () if delivery is None else world.forges[delivery.forge].events(delivery)
