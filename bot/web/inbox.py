"""Group commit: while one batch of deliveries is being stored, the next one gathers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from bot.domain.change import Delivery
from bot.domain.errors import TransientError

BATCH_LIMIT = 256  # keeps one transaction, and so the wait of the first in it, short
QUEUE_LIMIT = 4096
# GitHub and GitLab hang up after 10 s (GitHub docs, "Best practices for using webhooks")
PATIENCE_S = 8.0
QUEUE_LIMIT_BYTES = 256 * 1024 * 1024  # ten of the largest bodies that GitHub sends

NO_ANSWER = "the store does not answer"

log = structlog.get_logger()


class NotStored(Exception):
    """The delivery is not stored; the sender should try again."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    delivery: Delivery
    is_new: asyncio.Future[bool]


class Inbox:
    """Belongs to one event loop. `add` stores a batch in one transaction; it is called in a thread, never twice at
    once. `stored` is called on the event loop after each commit."""

    def __init__(self, add: Callable[[Sequence[Delivery]], list[bool]], *, stored: Callable[[], None]) -> None:
        self._add = add
        self._stored = stored
        self._queue: list[_Waiting] = []
        self._queue_bytes = 0
        self._committing: asyncio.Task[None] | None = None
        self._closed = False
        self._is_late = False
        # a thread of its own, so that slow pages can not keep webhooks waiting
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inbox")

    async def put(self, delivery: Delivery) -> bool:
        """Wait until it is durable. False when it was there before. Raises NotStored."""
        self._check_room(len(delivery.body))
        loop = asyncio.get_running_loop()
        waiting = _Waiting(delivery, loop.create_future())
        self._queue.append(waiting)
        self._queue_bytes += len(delivery.body)
        if self._committing is None:
            self._committing = loop.create_task(self._commit_all())
        return await waiting.is_new

    def _check_room(self, size_bytes: int) -> None:
        if self._closed:
            raise NotStored("the bot is stopping")
        if self._is_late:
            raise NotStored(NO_ANSWER)
        if len(self._queue) >= QUEUE_LIMIT or self._queue_bytes + size_bytes > QUEUE_LIMIT_BYTES:
            raise NotStored("too many deliveries are waiting")

    async def close(self) -> None:
        """Take nothing more, and wait until what was taken is stored."""
        self._closed = True
        if self._committing is not None:
            await self._committing
        self._thread.shutdown()

    async def _commit_all(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:BATCH_LIMIT], self._queue[BATCH_LIMIT:]
                self._queue_bytes -= sum(len(waiting.delivery.body) for waiting in batch)
                await self._commit(batch)
        finally:
            self._committing = None

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        try:
            are_new = await self._add_in_thread(batch)
        except TransientError as error:
            self._refuse(batch, error)
        except Exception as error:  # noqa: BLE001 - the web's edge: one bad delivery must not take the others with it
            if len(batch) == 1:
                self._refuse(batch, error)
                return
            for waiting in batch:
                await self._commit([waiting])
        else:
            for waiting, is_new in zip(batch, are_new, strict=True):
                if not waiting.is_new.done():  # it is when its client went away
                    waiting.is_new.set_result(is_new)
            self._stored()

    async def _add_in_thread(self, batch: Sequence[_Waiting]) -> list[bool]:
        """Nobody waits longer than the sender does: what is stored after all is a duplicate when it comes again."""
        loop = asyncio.get_running_loop()
        adding = loop.run_in_executor(self._thread, self._add, [waiting.delivery for waiting in batch])
        await asyncio.wait({adding}, timeout=PATIENCE_S)
        if not adding.done():
            self._is_late = True
            queue, self._queue, self._queue_bytes = self._queue, [], 0
            self._refuse([*batch, *queue], TimeoutError(f"no commit within {PATIENCE_S} s"))
        try:
            return await adding
        finally:
            self._is_late = False

    def _refuse(self, batch: Sequence[_Waiting], error: Exception) -> None:
        log.error("deliveries_not_stored", count=len(batch), reason=str(error) or type(error).__name__)
        for waiting in batch:
            if not waiting.is_new.done():
                waiting.is_new.set_exception(NotStored(NO_ANSWER))
