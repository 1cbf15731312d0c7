"""Predictions: who may ask, which revision answers, and what happens while models are deployed."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bot.web.serve import Limits
from tests.web.kit import Workplace, client
from tests.web.model_servers import PREDICTION, Asked, ToldRoutes, model_server, predict
from tests.web.serve_kit import INFER, NAMES, predicting, routes_to, until

pytestmark = pytest.mark.anyio

NO_TOKEN = (
    "Send the prediction token as `Authorization: Bearer …`. It is what MLOPS_BOT_PREDICT_TOKEN says; where that is not"
    " set, it is in `predict-token` in the bot's home folder."
)


async def test_a_prediction_is_answered_by_the_model_server_and_says_which_revision(place: Workplace) -> None:
    async with model_server("dep-1") as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes) as http:
            answer = await http.post(f"{INFER}?verbose=1", json={"inputs": [1]})

    assert (answer.status_code, answer.content) == (200, PREDICTION)
    assert answer.headers["x-mlops-revision"] == "dep-1"
    assert answer.headers["content-type"] == "application/json"
    (asked,) = server.asked
    assert (asked.method, asked.target, asked.body) == (
        "POST",
        "/v2/models/churn/infer?verbose=1",
        b'{"inputs":[1]}',
    )
    assert (routes.entries, routes.ends) == (["dep-1"], [("dep-1", 200)])


async def test_the_older_protocol_and_questions_for_health_pass_too(place: Workplace) -> None:
    async with model_server("dep-1") as server, predicting(place, routes_to((server, 100))) as http:
        await http.post("/serve/staging/churn/v1/models/churn:predict", json={})
        ready = await http.get("/serve/staging/churn/v2/health/ready")
        head = await http.head("/serve/staging/churn/v2/models/churn")

    assert [(asked.method, asked.target) for asked in server.asked] == [
        ("POST", "/v1/models/churn:predict"),
        ("GET", "/v2/health/ready"),
        ("HEAD", "/v2/models/churn"),
    ]
    assert (ready.status_code, ready.content) == (200, PREDICTION)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(PREDICTION)))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Bearer ünder", "Basic {token}", "{token}"])
async def test_without_the_prediction_token_nothing_is_told_but_where_it_is(place: Workplace, header: str) -> None:
    value = header.format(token=place.settings.predict_token).encode()
    async with model_server("dep-1") as server, predicting(place, routes_to((server, 100))) as http:
        answers = [
            await http.post(path, json={}, headers={"Authorization": value})
            for path in (INFER, INFER.replace("churn", "secret"), "/serve/x")
        ]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(401, {"error": NO_TOKEN})] * 3
    assert answers[0].headers["www-authenticate"] == "Bearer"
    assert server.asked == []


async def test_the_access_token_opens_predictions_but_a_session_does_not(place: Workplace) -> None:
    async with model_server("dep-1") as server, predicting(place, routes_to((server, 100)), token="x") as http:
        by_token = await http.post(INFER, json={}, headers=place.bearer)
        await http.get("/", params={"token": place.token})
        by_cookie = await http.post(INFER, json={})

    assert http.cookies
    assert (by_token.status_code, by_cookie.status_code) == (200, 401)


async def test_the_prediction_token_opens_nothing_else(place: Workplace) -> None:
    token = place.settings.predict_token
    async with client(place, headers={"Authorization": f"Bearer {token}"}) as http:
        answers = [await http.get(path) for path in ("/", "/metrics", "/api/v1/repositories", f"/?token={token}")]
        signed_in = await http.post("/login", data={"token": token})

    assert [answer.status_code for answer in answers] == [401, 401, 401, 403]
    assert signed_in.status_code == 403


async def test_a_foreign_host_name_is_refused_as_everywhere(place: Workplace) -> None:
    async with model_server("dep-1") as server, predicting(place, routes_to((server, 100))) as http:
        answer = await http.post(INFER, json={}, headers={"Host": "rebound.example.com"})

    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "This service is not known under this host name. Its operator can name it in MLOPS_BOT_PUBLIC_URL."},
    )
    assert server.asked == []


async def test_what_is_not_served_is_404_and_nothing_is_listed(place: Workplace) -> None:
    async with predicting(place, ToldRoutes({("production", "churn"): []})) as http:
        unknown = await http.post(INFER, json={})
        elsewhere = await http.get("/serve/production/churn/metrics")

    assert (unknown.status_code, unknown.json()) == (
        404,
        {"error": "No model of this name is served in an environment of this name."},
    )
    assert (elsewhere.status_code, elsewhere.json()) == (
        404,
        {"error": "Predictions are at /serve/<environment>/<model>/v2/models/… and …/v1/models/…."},
    )


async def test_a_service_without_serving_says_so(place: Workplace) -> None:
    async with client(place, headers=place.bearer) as http:
        answer = await http.post(INFER, json={})

    assert (answer.status_code, answer.json()) == (404, {"error": "This service serves no models."})


async def test_only_get_head_and_post_pass(place: Workplace) -> None:
    async with model_server("dep-1") as server, predicting(place, routes_to((server, 100))) as http:
        answers = [await http.request(method, INFER) for method in ("PUT", "DELETE", "OPTIONS", "PATCH")]
        with_body = await http.request("GET", INFER, content=b"x")

    assert [(answer.status_code, answer.headers["allow"]) for answer in answers] == [(405, "GET, HEAD, POST")] * 4
    assert answers[0].json() == {"error": "Use GET, HEAD, POST."}
    assert (with_body.status_code, with_body.json()) == (400, {"error": "A GET request has no body."})
    assert server.asked == []


@pytest.mark.parametrize("warm", [False, True])
async def test_while_nothing_is_ready_clients_are_asked_to_come_again(place: Workplace, warm: bool) -> None:
    async with model_server("candidate") as server:
        routes = ToldRoutes({NAMES: [server.backend(0)] if warm else []})
        async with predicting(place, routes) as http:
            answer = await http.post(INFER, json={})

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json() == {"error": "No version of this model is ready. Ask again in a few seconds."}
    assert (server.asked, routes.entries, routes.ends) == ([], [], [])


async def test_requests_are_split_by_percent(place: Workplace) -> None:
    async with model_server("old") as old, model_server("new") as new:
        routes = routes_to((old, 75), (new, 25))
        async with predicting(place, routes, limits=Limits()) as http:
            answers = [await http.post(INFER, json={}) for _ in range(200)]

    said = Counter(answer.headers["x-mlops-revision"] for answer in answers)
    assert said == Counter({"old": len(old.asked), "new": len(new.asked)})
    assert 35 <= said["new"] <= 65
    assert Counter(routes.ends) == Counter({("old", 200): said["old"], ("new", 200): said["new"]})


async def test_requests_in_flight_are_answered_by_a_revision_that_is_no_longer_named(place: Workplace) -> None:
    may_answer = asyncio.Event()

    async def answer_later(asked: Asked) -> None:
        await may_answer.wait()
        await predict(asked)

    async with model_server("old", answer_later) as old, model_server("new") as new:
        routes = routes_to((old, 100))
        async with predicting(place, routes) as http:
            early = [asyncio.ensure_future(http.post(INFER, json={})) for _ in range(5)]
            await until("all are with the old one", lambda: len(old.asked) == 5)
            routes.services[NAMES] = [new.backend()]
            late = await http.post(INFER, json={})
            inside = routes.inside
            may_answer.set()
            answered = [await answer for answer in early]

    assert (late.status_code, late.headers["x-mlops-revision"], inside) == (200, "new", 5)
    assert [(a.status_code, a.headers["x-mlops-revision"]) for a in answered] == [(200, "old")] * 5
    assert routes.inside == 0


async def test_a_revision_that_is_named_no_more_when_it_is_entered_is_not_asked(place: Workplace) -> None:
    async with model_server("staging/churn/old") as old, model_server("staging/churn/new") as new:

        class Moving(ToldRoutes):
            def entered(self, revision_id: str) -> None:
                self.services[NAMES] = [new.backend()]
                super().entered(revision_id)

        routes = Moving({NAMES: [old.backend()]})
        async with predicting(place, routes) as http:
            answer = await http.post(INFER, json={})

    assert (answer.status_code, answer.headers["x-mlops-revision"], old.asked) == (200, "new", [])
    assert routes.ends == [("staging/churn/old", None), ("staging/churn/new", 200)]


async def test_a_request_that_one_revision_takes_no_connection_for_goes_to_another(place: Workplace) -> None:
    async with model_server("gone") as gone:
        pass
    async with model_server("live") as live:
        routes = routes_to((gone, 99), (live, 1))
        async with predicting(place, routes, limits=Limits()) as http:
            answers = [await http.post(INFER, content=b"x" * 100_000) for _ in range(20)]

    assert [(a.status_code, a.headers["x-mlops-revision"]) for a in answers] == [(200, "live")] * 20
    assert {len(asked.body) for asked in live.asked} == {100_000}
    assert set(routes.ends) == {("gone", None), ("live", 200)}
    assert routes.inside == 0


async def test_a_lone_revision_that_was_started_anew_elsewhere_is_found_by_a_fresh_look(place: Workplace) -> None:
    async with model_server("dep-1") as gone:
        pass
    async with model_server("dep-1") as live:

        class Restarted(ToldRoutes):
            def entered(self, revision_id: str) -> None:
                super().entered(revision_id)
                self.services[NAMES] = [live.backend()]

        routes = Restarted({NAMES: [gone.backend()]})
        async with predicting(place, routes) as http:
            answer = await http.post(INFER, json={})

    assert (answer.status_code, answer.content) == (200, PREDICTION)
    assert routes.ends == [("dep-1", None), ("dep-1", 200)]


async def test_where_nothing_takes_connections_clients_are_asked_to_come_again(place: Workplace) -> None:
    async with model_server("dep-1") as gone:
        pass
    routes = routes_to((gone, 100))
    async with predicting(place, routes) as http:
        answer = await http.post(INFER, json={})

    assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-mlops-revision"]) == (
        503,
        "2",
        "dep-1",
    )
    assert answer.json() == {"error": "The model server takes no connections. Ask again in a few seconds."}
    assert routes.ends == [("dep-1", None)] * 2


async def test_100_clients_at_once_are_answered_over_connections_that_are_kept(place: Workplace) -> None:
    async with model_server("dep-1") as server:
        routes = routes_to((server, 100))
        async with predicting(place, routes) as http:
            for _ in range(2):
                answers = await asyncio.gather(*(http.post(INFER, json={"n": n}) for n in range(100)))
                assert [answer.status_code for answer in answers] == [200] * 100

    assert sorted(asked.body for asked in server.asked) == sorted(b'{"n":%d}' % n for n in range(100) for _ in range(2))
    assert server.connections <= 100
    assert (len(routes.entries), routes.inside) == (200, 0)


async def test_more_predictions_than_can_be_made_at_once_are_told_to_come_again(place: Workplace) -> None:
    may_answer = asyncio.Event()

    async def answer_later(asked: Asked) -> None:
        await may_answer.wait()
        await predict(asked)

    limits = Limits(at_once=2)
    async with (
        model_server("dep-1", answer_later) as server,
        predicting(place, routes_to((server, 100)), limits=limits) as http,
    ):
        first = [asyncio.ensure_future(http.post(INFER, json={})) for _ in range(2)]
        await until("two are being made", lambda: len(server.asked) == 2)
        third = await http.post(INFER, json={})
        may_answer.set()
        answered = [(await answer).status_code for answer in first]
        fourth = await http.post(INFER, json={})

    assert (third.status_code, third.headers["retry-after"]) == (503, "2")
    assert third.json() == {"error": "Too many predictions are being made at once."}
    assert (answered, fourth.status_code) == ([200, 200], 200)


async def test_a_mishap_of_ours_is_said_in_json_and_does_not_outlast_its_request(place: Workplace) -> None:
    class Broken(ToldRoutes):
        def entered(self, revision_id: str) -> None:
            super().entered(revision_id)
            if len(self.entries) == 1:
                raise RuntimeError("a bug")

    async with model_server("dep-1") as server:
        routes = Broken({NAMES: [server.backend()]})
        async with predicting(place, routes) as http:
            answers = [await http.post(INFER, json={}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [500, 200]
    assert answers[0].json() == {"error": "Something broke in mlops-bot. It is in its log, and it is not your fault."}


async def test_metrics_count_predictions_of_what_is_served_and_of_nothing_else(place: Workplace) -> None:
    async def refuse_some(asked: Asked) -> None:
        await asked.answer(b"", status=422 if asked.body == b"bad" else 200)

    async with model_server("dep-1", refuse_some) as server:
        routes = routes_to((server, 100))
        routes.services[("production", "churn")] = []
        async with predicting(place, routes) as http:
            for body in (b"good", b"good", b"bad"):
                await http.post(INFER, content=body)
            await http.post("/serve/production/churn/v2/models/churn/infer")
            await http.post("/serve/made-up/churn/v2/models/churn/infer")
            await http.post(INFER, headers={"Authorization": ""})
            metrics = (await http.get("/metrics", headers=place.bearer)).text

    assert _counts(metrics, "mlops_bot_prediction_seconds_count") == {
        'environment="production",model="churn",status="5xx"': 1,
        'environment="staging",model="churn",status="2xx"': 2,
        'environment="staging",model="churn",status="4xx"': 1,
    }
    assert _counts(metrics, "mlops_bot_http_request_seconds_count") == {
        'method="POST",route="/serve/{environment}/{model}",status="200"': 2,
        'method="POST",route="/serve/{environment}/{model}",status="401"': 1,
        'method="POST",route="/serve/{environment}/{model}",status="404"': 1,
        'method="POST",route="/serve/{environment}/{model}",status="422"': 1,
        'method="POST",route="/serve/{environment}/{model}",status="503"': 1,
    }


def _counts(metrics: str, name: str) -> dict[str, float]:
    lines = [line.removeprefix(f"{name}{{").rpartition("} ") for line in metrics.splitlines() if line.startswith(name)]
    return {labels: float(count) for labels, _, count in lines}
