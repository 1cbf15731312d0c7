"""What passes between a client and a model server: bodies of any size, what headers may say, and every way to end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import psutil
import pytest

from bot.web.serve import Limits
from tests.web.kit import Workplace
from tests.web.model_servers import PREDICTION, Asked, model_server, predict
from tests.web.serve_kit import INFER, NAMES, predicting, routes_to, until

pytestmark = pytest.mark.anyio

MB = 1024 * 1024


async def never(_asked: Asked) -> None:
    await asyncio.Event().wait()


async def pieces(total: int, piece: bytes = b"x" * 65536) -> AsyncIterator[bytes]:
    for _ in range(total // len(piece)):
        yield piece


@pytest.mark.parametrize("declares_length", [True, False])
async def test_a_big_body_is_passed_on_while_it_comes_in(place: Workplace, declares_length: bool) -> None:
    headers = {"Content-Length": str(48 * MB)} if declares_length else {}
    async with model_server("dep-1", keeps_bodies=False) as server, predicting(place, routes_to((server, 100))) as http:
        before = psutil.Process().memory_info().rss
        answer = await http.post(INFER, content=pieces(48 * MB), headers=headers)
        grown = psutil.Process().memory_info().rss - before

    (asked,) = server.asked
    assert (answer.status_code, server.read_bytes) == (200, 48 * MB)
    assert asked.header("content-length") == (str(48 * MB) if declares_length else None)
    assert grown < 36 * MB


async def test_a_big_body_arrives_as_it_was_sent(place: Workplace) -> None:
    body = bytes(range(256)) * 4096
    async with model_server("dep-1") as server, predicting(place, routes_to((server, 100))) as http:
        await http.post(INFER, content=body)

    assert [asked.body for asked in server.asked] == [body]


@pytest.mark.parametrize("declares_length", [True, False])
async def test_a_body_over_the_limit_is_refused_with_413(place: Workplace, declares_length: bool) -> None:
    headers = {"Content-Length": str(2 * MB)} if declares_length else {}
    async with model_server("dep-1") as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes, limits=Limits(body_bytes=MB)) as http:
            answer = await http.post(INFER, content=pieces(2 * MB), headers=headers)
            await until("it was left", lambda: routes.inside == 0)

    assert (answer.status_code, answer.json()) == (413, {"error": "The body is larger than 1 MB."})
    assert answer.headers["connection"] == "close"
    assert server.asked == []
    assert routes.ends == ([] if declares_length else [("dep-1", 413)])


async def test_a_big_answer_is_passed_on_while_it_comes(place: Workplace) -> None:
    go_on = asyncio.Event()

    async def answer_in_two(asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n")
        asked.writer.write(b"5\r\nfirst\r\n")
        await go_on.wait()
        asked.writer.write(b"6\r\nsecond\r\n0\r\n\r\n")

    async with (
        model_server("dep-1", answer_in_two) as server,
        predicting(place, routes_to((server, 100))) as http,
        http.stream("POST", INFER, json={}) as answer,
    ):
        came = answer.aiter_bytes()
        first = await anext(came)
        go_on.set()
        rest = b"".join([piece async for piece in came])

    assert (first, rest) == (b"first", b"second")
    assert answer.headers["content-type"] == "text/event-stream"


async def test_an_answer_of_known_length_and_many_megabytes_arrives_whole(place: Workplace) -> None:
    body = bytes(range(256)) * 40_000

    async def answer_much(asked: Asked) -> None:
        await asked.answer(body)

    async with model_server("dep-1", answer_much) as server, predicting(place, routes_to((server, 100))) as http:
        answer = await http.post(INFER, json={})

    assert (answer.headers["content-length"], answer.content == body) == (str(len(body)), True)


@pytest.mark.parametrize("status", [204, 304, 404, 422, 500, 503])
async def test_any_answer_of_a_model_server_is_passed_on_as_it_is(place: Workplace, status: int) -> None:
    async def answer(asked: Asked) -> None:
        body = b"" if status in (204, 304) else b'{"error": "says the model"}'
        await asked.answer(body, status=status, headers=["X-Model: yes", "Content-Encoding: identity"])

    async with model_server("dep-1", answer) as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes) as http:
            answers = [await http.post(INFER, json={}) for _ in range(2)]

    assert [(a.status_code, a.headers["x-model"]) for a in answers] == [(status, "yes")] * 2
    assert answers[0].content == (b"" if status in (204, 304) else b'{"error": "says the model"}')
    assert (routes.ends, server.connections) == ([("dep-1", status)] * 2, 1)


async def test_a_model_server_learns_what_it_needs_and_no_secret(place: Workplace) -> None:
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": "10",
        "X-Note": "grüße".encode(),
        "X-Broken": b"\xff",
        "Cookie": "mlops_bot_8321=secret",
        "Proxy-Authorization": "Basic c2VjcmV0",
        "Connection": "keep-alive, X-Of-This-Hop",
        "X-Of-This-Hop": "1",
        "TE": "trailers",
        "Forwarded": "for=10.0.0.1",
        "X-Real-IP": "10.0.0.1",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-User": "admin",
        "User-Agent": "",
    }
    async with model_server("dep-1") as server, predicting(place, routes_to((server, 100))) as http:
        del http.headers["accept-encoding"]
        await http.post(INFER, content=b"0123456789", headers=headers)
        host = http.base_url.netloc.decode()

    (asked,) = server.asked
    assert sorted((name.lower(), value) for name, value in asked.headers) == [
        ("accept", "application/json"),
        ("content-length", "10"),
        ("content-type", "application/octet-stream"),
        ("host", f"127.0.0.1:{server.port}"),
        ("inference-header-content-length", "10"),
        ("user-agent", ""),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", host),
        ("x-forwarded-prefix", "/serve/staging/churn"),
        ("x-forwarded-proto", "http"),
        ("x-note", "grüße"),
    ]


async def test_a_model_server_can_not_act_as_the_bot_towards_browsers(place: Workplace) -> None:
    own = [
        "Content-Type: text/html",
        "Set-Cookie: mlops_bot_8321=mine",
        "Clear-Site-Data: *",
        "Service-Worker-Allowed: /",
        "Content-Security-Policy: default-src *",
        "X-Content-Type-Options: sniff",
        "X-MLOps-Revision: another",
        "Refresh: 0; url=https://example.com",
        "Connection: X-Hop",
        "X-Hop: 1",
        "Keep-Alive: timeout=5",
        "X-Model: kept",
    ]

    async def answer(asked: Asked) -> None:
        await asked.answer(b"<script>", headers=own)

    async with model_server("dep-1", answer) as server, predicting(place, routes_to((server, 100))) as http:
        got = await http.post(INFER, json={})

    assert dict(got.headers) == {
        "content-type": "text/html",
        "x-model": "kept",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-mlops-revision": "dep-1",
        "content-length": "8",
    }


@pytest.mark.parametrize(
    ("location", "passed"),
    [
        ("{own}/v2/models/churn", "/serve/staging/churn/v2/models/churn"),
        ("/v2/models/churn", "/serve/staging/churn/v2/models/churn"),
        ("https://example.com/", None),
        ("//example.com/", None),
    ],
)
async def test_a_redirect_leads_to_where_clients_reach_the_model(
    place: Workplace, location: str, passed: str | None
) -> None:
    async def redirect(asked: Asked) -> None:
        own = f"http://{asked.header('host')}"
        await asked.answer(b"", status=307, headers=[f"Location: {location.format(own=own)}"])

    async with model_server("dep-1", redirect) as server, predicting(place, routes_to((server, 100))) as http:
        answer = await http.post(INFER, json={})

    assert (answer.status_code, answer.headers.get("location")) == (307, passed)
    assert len(server.asked) == 1


async def test_a_client_that_goes_away_takes_its_request_with_it(place: Workplace) -> None:
    async with model_server("dep-1", never) as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes) as http:
            asking = asyncio.ensure_future(http.post(INFER, json={}))
            await asyncio.wait_for(server.was_asked.wait(), 20)
            asking.cancel()
            await asyncio.wait_for(server.hung_up.wait(), 20)
            await until("it was left", lambda: routes.inside == 0)

    assert routes.ends == [("dep-1", 499)]


async def test_a_client_that_goes_away_in_the_middle_of_its_body_ends_the_request(place: Workplace) -> None:
    async with model_server("dep-1") as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes) as http:
            _, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
            head = f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {http.headers['authorization']}\r\n"
            writer.write(f"{head}Content-Length: {MB}\r\n\r\n".encode() + b"x" * (MB // 2))
            await until("the beginning has come", lambda: server.read_bytes >= 65536)
            writer.close()
            await asyncio.wait_for(server.hung_up.wait(), 20)
            await until("it was left", lambda: routes.inside == 0)
            after = await http.post(INFER, json={})

    assert (routes.ends, after.status_code) == ([("dep-1", 499), ("dep-1", 200)], 200)


async def test_a_slow_model_server_is_given_up_with_504(place: Workplace) -> None:
    async with model_server("dep-1", never) as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes, limits=Limits(total_s=1)) as http:
            answer = await http.post(INFER, json={})
            await asyncio.wait_for(server.hung_up.wait(), 20)

    assert (answer.status_code, answer.headers["x-mlops-revision"]) == (504, "dep-1")
    assert answer.json() == {"error": "The model server did not answer within 1 s."}
    assert routes.ends == [("dep-1", 504)]


async def test_a_body_that_does_not_come_is_given_up_with_408_and_not_held_against_the_model(place: Workplace) -> None:
    async with model_server("dep-1") as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes, limits=Limits(total_s=1)) as http:
            reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
            head = f"POST {INFER} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {http.headers['authorization']}\r\n"
            writer.write(f"{head}Content-Length: {MB}\r\n\r\n".encode() + b"x" * (MB // 2))
            answer = await asyncio.wait_for(reader.read(), 20)
            writer.close()

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert answer.endswith(b'{"error": "The request did not come in within 1 s."}')
    assert routes.ends == [("dep-1", 408)]


@pytest.mark.parametrize(
    "dying",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"220 smtp.example.com\r\n",
        b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["before", "in its head", "in its body", "no HTTP", "no status"],
)
async def test_a_model_server_that_dies_before_its_answer_is_whole_is_a_502(place: Workplace, dying: bytes) -> None:
    async def die(asked: Asked) -> None:
        asked.writer.write(dying)
        asked.writer.close()

    async with model_server("dep-1", die) as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes) as http:
            answer = await http.post(INFER, json={})

    assert (answer.status_code, answer.headers["x-mlops-revision"]) == (502, "dep-1")
    assert answer.json() == {"error": "The model server hung up before its answer was whole."}
    assert routes.ends == [("dep-1", None)]
    assert len(server.asked) == 1


async def test_an_answer_that_breaks_off_after_its_beginning_was_passed_on_breaks_off_too(place: Workplace) -> None:
    async def die(asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100_000)
        await asked.writer.drain()
        asked.writer.close()

    async with model_server("dep-1", die) as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes) as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await http.post(INFER, json={})
            metrics = (await http.get("/metrics", headers=place.bearer)).text

    assert routes.ends == [("dep-1", None)]
    assert 'mlops_bot_prediction_seconds_count{environment="staging",model="churn",status="5xx"} 1.0' in metrics


async def test_a_connection_that_the_model_server_has_ended_is_not_used_again(place: Workplace) -> None:
    async def answer_once(asked: Asked) -> None:
        await predict(asked)
        asked.writer.close()

    async with model_server("dep-1", answer_once) as server, predicting(place, routes_to((server, 100))) as http:
        answers = []
        for _ in range(5):
            answers.append((await http.post(INFER, json={})).status_code)
            await until("it is ended on both sides", lambda: not _connections_to(server.port))

    assert (answers, server.connections) == ([200] * 5, 5)


def _connections_to(port: int) -> list[str]:
    mine = psutil.Process().net_connections("tcp")
    return [one.status for one in mine if one.raddr and one.raddr.port == port]


async def test_a_model_server_that_accepts_no_connection_in_time_is_left_for_another(place: Workplace) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        async with model_server("live") as live:
            deaf_fill = [socket.socket() for _ in range(4)]
            for filler in deaf_fill:
                filler.setblocking(False)
                filler.connect_ex(deaf.getsockname())
            routes = routes_to((live, 1))
            backend = routes.services[NAMES][0]
            routes.services[NAMES] = [
                type(backend)("deaf", f"http://127.0.0.1:{deaf.getsockname()[1]}", 10**9),
                backend,
            ]
            async with predicting(place, routes) as http:
                answer = await http.post(INFER, json={})
            for filler in deaf_fill:
                filler.close()

    assert (answer.status_code, answer.content) == (200, PREDICTION)
    assert routes.ends == [("deaf", None), ("live", 200)]
