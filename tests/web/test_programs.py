"""What programs ask: health, metrics, and the JSON API."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from bot.domain.errors import UserError
from bot.forges.github.api import GitHubForge
from bot.forges.github.settings import GitHubSettings
from tests.web.kit import Workplace, client, push_body, push_headers
from tests.web.seed import HEAD_SHA, NOW, a_run

pytestmark = pytest.mark.anyio

CHANGE = "/api/v1/repositories/plain/models/changes/1"


@pytest.fixture
async def http(day: Workplace) -> AsyncIterator[httpx.AsyncClient]:
    async with client(day, headers=day.bearer) as http:
        yield http


async def test_a_bot_that_works_is_ready(place: Workplace) -> None:
    async with client(place) as http:
        alive, ready = await http.get("/healthz"), await http.get("/readyz")

    assert (alive.status_code, alive.text) == (200, "ok\n")
    assert (ready.status_code, ready.json()) == (
        200,
        {
            "ready": True,
            "checks": {
                "store": "ok",
                "forge plain": "ok",
                "engine": "ok",
                "artifacts": "ok",
                "serving": "ok",
                "loop": "ok",
            },
        },
    )


async def test_what_keeps_it_from_its_work_is_named_to_probes_and_explained_to_its_operator(place: Workplace) -> None:
    place.engine.problem = f"the runner does not answer, token {place.token}"
    async with client(place) as http:
        probe = await http.get("/readyz")
        operator = await http.get("/readyz", headers=place.bearer)

    assert probe.status_code == 503
    assert probe.json()["checks"]["engine"] == "failing"
    assert "reasons" not in probe.json()
    assert operator.json()["reasons"] == {"engine": "the runner does not answer, token ***"}


async def test_a_probe_may_ask_for_the_store_alone_while_kubeflow_is_down(
    place: Workplace,
) -> None:
    place.engine.problem = "Kubeflow is down"
    async with client(place) as http:
        store, unknown = await http.get("/readyz?only=store"), await http.get("/readyz?only=stores")

    assert (store.status_code, store.json()) == (200, {"ready": True, "checks": {"store": "ok"}})
    assert unknown.status_code == 400
    assert unknown.json() == {
        "error": "There is no part 'stores'; there are: store, forge plain, engine, artifacts, serving, loop."
    }


async def test_rows_that_nobody_takes_make_it_unready(day: Workplace) -> None:
    with day.store.transaction() as tx:
        old = a_run("run-old", requested_at=NOW)
        tx.add_run(old, now=NOW.replace(year=NOW.year - 1))
    async with client(day, headers=day.bearer) as http:
        answer = await http.get("/readyz")

    assert answer.status_code == 503
    assert "The oldest row that is due has waited for" in answer.json()["reasons"]["loop"]


async def test_metrics_count_rows_by_phase_and_requests_by_route(day: Workplace, http: httpx.AsyncClient) -> None:
    body = push_body()
    await http.post("/webhooks/plain", content=body, headers=push_headers(body))
    await http.get("/runs/run-good")
    await http.get("/nowhere/<script>")
    text = (await http.get("/metrics")).text

    assert 'mlops_bot_rows{kind="run",phase="succeeded"} 3.0' in text
    assert 'mlops_bot_rows{kind="delivery",phase="open"} 1.0' in text
    assert "mlops_bot_overdue_seconds" in text
    assert 'request_seconds_count{method="POST",route="/webhooks/{forge}",status="202"} 1.0' in text
    assert 'request_seconds_count{method="GET",route="/runs/{run_id}",status="200"} 1.0' in text
    assert "script" not in text


async def test_metrics_count_the_calls_to_each_forge(day: Workplace, http: httpx.AsyncClient) -> None:
    settings = GitHubSettings(api_url="http://127.0.0.1:9", token="t", repositories=("acme/churn",))
    github = GitHubForge(settings, git=day.app.state.site.world.git, clock=day.app.state.site.world.clock)
    github.calls.update({"check": 2, "comment": 1})
    day.app.state.site.world.forges["github"] = github
    text = (await http.get("/metrics")).text

    assert 'mlops_bot_forge_calls_total{forge="github",kind="check"} 2.0' in text
    assert 'mlops_bot_forge_calls_total{forge="github",kind="comment"} 1.0' in text
    assert 'forge="plain"' not in text


async def test_the_api_lists_repositories_changes_and_runs(http: httpx.AsyncClient) -> None:
    repositories = (await http.get("/api/v1/repositories")).json()
    changes = (await http.get("/api/v1/repositories/plain/models/changes", params={"state": "open"})).json()
    change = (await http.get(CHANGE)).json()
    runs = (await http.get("/api/v1/runs", params={"repository": "plain/models", "change": 3})).json()

    assert repositories == [
        {
            "key": "plain/models",
            "clone_address": "/srv/mlops-bot/repositories/models.git",
            "default_branch": "main",
        }
    ]
    assert sorted(one["number"] for one in changes) == [1, 2, 3]
    assert (change["title"], change["head_sha"], change["state"]) == ("Try four hundred trees", HEAD_SHA, "open")
    assert [(run["id"], run["phase"], run["state"]) for run in runs] == [
        ("run-later", "queued", "Queued"),
        ("run-now", "running", "Running"),
    ]


async def test_the_api_tells_all_of_a_run(http: httpx.AsyncClient) -> None:
    run = (await http.get("/api/v1/runs/run-good")).json()

    assert (run["verdict"], run["state"], run["base_run"]) == ("passed", "Passed", "run-base")
    assert run["metrics"] == {"accuracy": 0.951, "log_loss": 0.142, "roc_auc": 0.9911}
    assert run["gates"][0] == {"gate": "accuracy >= 0.93", "outcome": "passed", "reason": "0.951 >= 0.93"}
    assert [step["name"] for step in run["steps"]] == ["fetch", "train", "evaluate", "report"]


async def test_the_api_takes_comments_and_orders(day: Workplace, http: httpx.AsyncClient) -> None:
    user = day.app.state.site.user
    commented = await http.post(f"{CHANGE}/comments", json={"body": "/train", "author": "carol"})
    canceled = await http.post("/api/v1/runs/run-now/cancel")
    again = await http.post("/api/v1/runs/run-good/rerun")
    empty = await http.post(f"{CHANGE}/comments", json={"body": " "})

    assert commented.status_code == 201
    last = day.records.posts("plain/models", 1)[-1]
    assert (last.author, last.body) == ("carol", "/train")
    assert [canceled.status_code, again.status_code] == [202, 202]
    assert day.acted == [("cancel", "run-now", user), ("rerun", "run-good", user)]
    assert (empty.status_code, empty.json()) == (
        409,
        {"error": "The comment is empty.", "fix": "Write something, for example `/help`."},
    )


async def test_an_order_that_is_refused_says_why(day: Workplace, http: httpx.AsyncClient) -> None:
    day.refusal = UserError("This run has ended already.", "Use `/retry`.")
    answer = await http.post("/api/v1/runs/run-good/cancel")

    assert (answer.status_code, answer.json()) == (
        409,
        {"error": "This run has ended already.", "fix": "Use `/retry`."},
    )


async def test_a_cookie_alone_may_read_the_api_but_order_nothing(day: Workplace) -> None:
    async with client(day) as http:
        await http.get("/", params={"token": day.token})
        read = await http.get("/api/v1/runs/run-now")
        ordered = await http.post("/api/v1/runs/run-now/cancel")

    assert (read.status_code, ordered.status_code) == (200, 401)
    assert day.acted == []


@pytest.mark.parametrize(
    "path", ["/api/v1/runs/none", "/api/v1/repositories/plain/none/changes", "/api/v1/none", f"{CHANGE}9"]
)
async def test_what_is_not_there_is_404_as_json(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    assert answer.status_code == 404
    assert "error" in answer.json()


async def test_the_api_is_described_without_asking_anybody_else(http: httpx.AsyncClient) -> None:
    description = (await http.get("/api/v1/openapi.json")).json()

    assert "/api/v1/runs/{run_id}/cancel" in description["paths"]
    assert [(await http.get(path)).status_code for path in ("/docs", "/redoc")] == [404, 404]
