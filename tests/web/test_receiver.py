"""Webhooks: verified on their raw bytes, stored, and only then answered."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import anyio
import anyio.lowlevel
import pytest

from bot.domain.change import Delivery
from bot.ports.store import Kind
from bot.web.inbox import QUEUE_LIMIT, Inbox, NotStored
from bot.web.webhooks import BODY_LIMIT_BYTES
from tests.web.kit import Workplace, client, push_body, push_headers, served

pytestmark = pytest.mark.anyio


async def test_invariant_1_an_accepted_webhook_is_stored_as_it_came_before_it_is_answered(place: Workplace) -> None:
    body = push_body()
    async with client(place) as http:
        answer = await http.post("/webhooks/plain", content=body, headers=push_headers(body))

    assert (answer.status_code, answer.json()) == (202, {"delivery": "d1", "duplicate": False})
    stored = place.store.delivery("d1")
    assert stored is not None
    assert (stored.body, stored.event) == (body, "push")
    assert place.wakes == [Kind.DELIVERY]


async def test_invariant_1_a_delivery_that_was_seen_before_is_acknowledged_and_kept_once(place: Workplace) -> None:
    body = push_body()
    async with client(place) as http:
        answers = await asyncio.gather(
            *(http.post("/webhooks/plain", content=body, headers=push_headers(body)) for _ in range(4))
        )
        later = await http.post("/webhooks/plain", content=body, headers=push_headers(body))

    assert sorted(answer.json()["duplicate"] for answer in answers) == [False, True, True, True]
    assert (later.status_code, later.json()) == (202, {"delivery": "d1", "duplicate": True})
    assert place.store.counts()["delivery/open"] == 1


@pytest.mark.parametrize("headers", [{}, {"X-MLOps-Bot-Signature": "0" * 64}, {"X-MLOps-Bot-Signature": "ünder"}])
async def test_a_webhook_without_our_signature_is_refused_with_401(place: Workplace, headers: dict[str, str]) -> None:
    async with client(place) as http:
        answer = await http.post(
            "/webhooks/plain", content=push_body(), headers={name: value.encode() for name, value in headers.items()}
        )

    assert answer.status_code == 401
    assert answer.json() == {"error": "The signature does not match. Compare the webhook's secret with the bot's."}
    assert place.store.delivery("d1") is None


async def test_a_signed_webhook_that_is_not_json_is_refused_with_400(place: Workplace) -> None:
    async with client(place) as http:
        answer = await http.post("/webhooks/plain", content=b"{", headers=push_headers(b"{"))

    assert (answer.status_code, answer.json()) == (400, {"error": "The body is not JSON."})


async def test_an_event_of_no_interest_is_acknowledged_and_not_kept(place: Workplace) -> None:
    body = push_body(refs=[{"ref": "refs/tags/v1", "before": "0" * 40, "after": "a" * 40}])
    async with client(place) as http:
        answer = await http.post("/webhooks/plain", content=body, headers=push_headers(body))

    assert (answer.status_code, answer.json()) == (202, {"ignored": True})
    assert place.store.delivery("d1") is None


async def test_a_forge_that_is_not_set_up_is_404_and_a_webhook_that_is_not_posted_is_405(place: Workplace) -> None:
    async with client(place) as http:
        elsewhere = await http.post("/webhooks/bitbucket", content=b"{}")
        got = await http.get("/webhooks/plain")

    assert (elsewhere.status_code, elsewhere.json()) == (404, {"error": "No such forge is set up here."})
    assert got.status_code == 405


async def test_a_body_of_30_mb_is_refused_with_413(place: Workplace) -> None:
    async with client(place) as http:
        answer = await http.post("/webhooks/plain", content=b"x" * 30_000_000)

    assert (answer.status_code, answer.json()) == (413, {"error": "The body is larger than 25 MB."})


async def test_a_body_that_is_longer_than_it_claims_is_counted_while_it_comes(place: Workplace) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(BODY_LIMIT_BYTES // 1_000_000 + 2):
            yield b"x" * 1_000_000

    async with client(place) as http:
        answer = await http.post("/webhooks/plain", content=endless(), headers={"Content-Length": "12"})

    assert answer.status_code == 413


def test_over_a_socket_too_a_large_body_is_answered_before_it_was_sent_whole(place: Workplace) -> None:
    with served(place) as address:
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            head = f"POST /webhooks/plain HTTP/1.1\r\nHost: x\r\nContent-Length: {BODY_LIMIT_BYTES + 1}\r\n\r\n"
            connection.sendall(head.encode() + b"x" * 1000)
            assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


class BrokenStore:
    """Stores when it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.batches: list[list[str]] = []
        self.may_store = threading.Event()

    def add(self, deliveries: Sequence[Delivery]) -> list[bool]:
        self.may_store.wait(20)
        self.batches.append([delivery.id for delivery in deliveries])
        if self.error and any(delivery.event == "bad" for delivery in deliveries):
            raise self.error
        return [True] * len(deliveries)


def a_delivery(delivery_id: str, event: str = "push") -> Delivery:
    return Delivery(delivery_id, "plain", event, b"{}", "key", datetime.now(UTC))


async def test_while_one_batch_is_stored_the_next_one_gathers() -> None:
    store, stored = BrokenStore(), []
    inbox = Inbox(store.add, stored=lambda: stored.append(len(store.batches)))

    puts = [asyncio.create_task(inbox.put(a_delivery(str(number)))) for number in range(5)]
    await anyio.wait_all_tasks_blocked()
    late = [asyncio.create_task(inbox.put(a_delivery(f"late {number}"))) for number in range(3)]
    await anyio.wait_all_tasks_blocked()
    store.may_store.set()

    assert await asyncio.gather(*puts, *late) == [True] * 8
    assert sum(len(batch) for batch in store.batches) == 8
    assert len(store.batches) <= 3
    assert stored == list(range(1, len(store.batches) + 1))
    await inbox.close()


async def test_one_delivery_that_can_not_be_stored_does_not_take_the_others_with_it() -> None:
    store = BrokenStore(ValueError("a NUL character"))
    store.may_store.set()
    inbox = Inbox(store.add, stored=lambda: None)

    puts = [inbox.put(a_delivery("a")), inbox.put(a_delivery("b", "bad")), inbox.put(a_delivery("c"))]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)

    assert outcomes[0] is True
    assert isinstance(outcomes[1], NotStored)
    assert outcomes[2] is True
    await inbox.close()


async def test_a_full_queue_refuses_and_what_was_taken_is_stored_before_the_end() -> None:
    store = BrokenStore()
    inbox = Inbox(store.add, stored=lambda: None)
    first = asyncio.create_task(inbox.put(a_delivery("first")))
    await anyio.wait_all_tasks_blocked()
    waiting = [asyncio.create_task(inbox.put(a_delivery(str(number)))) for number in range(QUEUE_LIMIT)]
    await anyio.wait_all_tasks_blocked()

    with pytest.raises(NotStored, match="too many deliveries are waiting"):
        await inbox.put(a_delivery("one too many"))
    closing = asyncio.create_task(inbox.close())
    await anyio.wait_all_tasks_blocked()
    with pytest.raises(NotStored, match="the bot is stopping"):
        await inbox.put(a_delivery("too late"))
    store.may_store.set()
    await closing

    assert await first
    assert all(await asyncio.gather(*waiting))
    assert sum(len(batch) for batch in store.batches) == QUEUE_LIMIT + 1


async def test_when_the_database_fails_the_sender_is_asked_to_come_again(place: Workplace) -> None:
    with place.store.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE deliveries")
    body = push_body()
    async with client(place) as http:
        answer = await http.post("/webhooks/plain", content=body, headers=push_headers(body))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.json() == {"error": "Not stored: the store does not answer. Send it again."}


async def test_when_the_database_is_locked_the_sender_is_answered_before_it_gives_up(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.web.inbox.PATIENCE_S", 0.1)
    body = push_body()
    async with client(place) as http:
        with place.store.database.write():
            late = await http.post("/webhooks/plain", content=body, headers=push_headers(body))
            next_one = await http.post("/webhooks/plain", content=body, headers=push_headers(body, "d2"))
        with anyio.fail_after(20):
            again = late
            while again.status_code == 503:
                await anyio.lowlevel.checkpoint()
                again = await http.post("/webhooks/plain", content=body, headers=push_headers(body))

    assert [late.status_code, next_one.status_code] == [503, 503]
    assert (again.status_code, again.json()) == (202, {"delivery": "d1", "duplicate": True})


async def test_invariant_2_a_callback_with_the_runs_own_token_wakes_the_run(day: Workplace) -> None:
    async with client(day) as http:
        token = day.app.state.site.world.callback_token("run-now")
        answer = await http.post("/callbacks/runs/run-now", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 204
    assert day.wakes == [Kind.RUN]


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer {other}", "{own}", "Bearer {own}x", "Bearer {access}"])
async def test_a_callback_with_any_other_token_is_refused(day: Workplace, given: str) -> None:
    token_of = day.app.state.site.world.callback_token
    header = given.format(own=token_of("run-now"), other=token_of("run-good"), access=day.token)
    async with client(day) as http:
        answer = await http.post("/callbacks/runs/run-now", headers={"Authorization": header})

    assert answer.status_code == 401
    assert day.wakes == []
