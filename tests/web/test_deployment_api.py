"""What programs are told of versions, environments, deployments and the ledger, and what they may ask for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from bot.domain.feedback import LedgerEntry
from tests.web.kit import Workplace, client
from tests.web.seed import DATA_SHA, HEAD_SHA, NOW, REPOSITORY
from tests.web.seed_deployments import IDS, MODEL, seed_deployments

pytestmark = pytest.mark.anyio

WISH = {"repository": "plain/modles", "model": MODEL, "environment": "staging"}


@pytest.fixture
async def http(day: Workplace) -> AsyncIterator[httpx.AsyncClient]:
    seed_deployments(day)
    async with client(day, headers=day.bearer) as http:
        yield http


async def test_versions_are_told_with_what_made_them_and_where_they_serve(http: httpx.AsyncClient) -> None:
    newest, served, oldest = (await http.get(f"/api/v1/versions?repository={REPOSITORY.key}&model={MODEL}")).json()

    assert (newest["version"], newest["phase"], newest["serves_in"]) == ("v1.2.0", "registered", [])
    assert (newest["commit"], newest["data"], newest["run"]) == (HEAD_SHA, DATA_SHA, "run-good")
    assert (served["version"], served["serves_in"]) == ("v1.1.0", ["production", "staging"])
    assert served["metrics"] == pytest.approx({"accuracy": 0.94, "log_loss": 0.18})
    assert served["waived"] == ["roc_auc >= 0.97: known outlier (carol)"]
    assert oldest["version"] == "v1.0.0"
    assert (await http.get("/api/v1/versions?model=nothing")).json() == []


async def test_environments_are_told_with_their_servers_and_what_is_on_its_way(http: httpx.AsyncClient) -> None:
    production, staging = (await http.get("/api/v1/environments")).json()

    assert (production["environment"], production["version"], production["by"]) == ("production", "v1.1.0", "alice")
    assert production["endpoint"] == "http://127.0.0.1:8321/serve/production/breast-cancer"
    assert [one["id"] for one in production["on_their_way"]] == [IDS.waiting]
    assert staging["answering"] == [
        {"version": "v1.2.0", "percent": 10, "state": "starting", "message": "", "restarts": 2, "requests": 120,
         "errors": 0, "p99_ms": 9.5},
        {"version": "v1.1.0", "percent": 90, "state": "ready", "message": "", "restarts": 0, "requests": 1204,
         "errors": 3, "p99_ms": 11.27},
    ]  # fmt: skip


async def test_deployments_are_listed_by_what_they_are_about_and_one_is_told_with_its_decisions(
    http: httpx.AsyncClient,
) -> None:
    active = (await http.get("/api/v1/deployments?active=true")).json()
    failed = (await http.get("/api/v1/deployments?environment=staging&phase=failed")).json()
    one = (await http.get(f"/api/v1/deployments/{IDS.waiting}")).json()

    assert {each["id"] for each in active} == {IDS.waiting, IDS.deploying}
    assert [each["id"] for each in failed] == [IDS.failed]
    assert (one["summary"], one["approvals_needed"], one["approved_by"]) == (
        "waits for approval, 1 of 2", 2, ["carol"],
    )  # fmt: skip
    assert [(each["by"], each["counts"]) for each in one["decisions"]] == [("carol", False), ("carol", True)]
    assert one["next_step"].startswith("To let it go live: `/approve production`.")
    assert (await http.get("/api/v1/deployments/dep-none")).status_code == 404


async def test_the_ledger_is_told_as_json_lines_from_any_place_on(day: Workplace, http: httpx.AsyncClient) -> None:
    with day.store.transaction() as tx:
        for number in range(1100):
            tx.append_ledger(LedgerEntry(NOW, "eve", "spoke", "plain/other", f"\n{number}"))
    answer = await http.get("/api/v1/ledger")
    entries = [json.loads(line) for line in answer.text.splitlines()]
    behind = await http.get("/api/v1/ledger", params={"since": entries[1101]["seq"]})
    newest = await http.get("/api/v1/ledger?newest=2&environment=production")

    assert answer.headers["content-type"] == "application/jsonl"
    assert len(entries) == 1104
    assert [entry["subject"] for entry in entries[4:]] == [f"\n{number}" for number in range(1100)]
    assert [json.loads(line) for line in behind.text.splitlines()] == entries[1102:]
    assert [json.loads(line)["action"] for line in newest.text.splitlines()] == [
        "deployment_live",
        "deployment_approved_by",
    ]
    assert (await http.get("/api/v1/ledger?since=-1")).status_code == 422
    assert (await http.get("/api/v1/ledger?since=99999999999999999999999")).status_code == 422


async def test_what_is_refused_says_why(http: httpx.AsyncClient) -> None:
    for path in ("deployments", "rollbacks"):
        answer = await http.post(f"/api/v1/{path}", json=WISH)

        assert answer.status_code == 409
        assert answer.json() == {
            "error": "No repository `plain/modles` is watched.",
            "fix": "Did you mean `plain/models`? There are `plain/models`.",
        }


async def test_a_cookie_alone_deploys_nothing(day: Workplace, http: httpx.AsyncClient) -> None:
    async with client(day) as browser:
        await browser.get("/", params={"token": day.token})
        read = await browser.get("/api/v1/environments")
        refused = [
            (await browser.post(f"/api/v1/{path}", json=WISH)).status_code
            for path in ("deployments", "rollbacks", "rebuild")
        ]

    assert read.status_code == 200
    assert refused == [401, 401, 401]
    assert {one.id for one in day.store.deployments(active=True)} == {IDS.waiting, IDS.deploying}


async def test_a_rebuild_tells_what_could_not_be_read(http: httpx.AsyncClient) -> None:
    (told,) = (await http.post("/api/v1/rebuild")).json()

    assert (told["repository"], told["versions"]) == (REPOSITORY.key, 0)
    assert told["problem"] == "its tags can not be read now; the service's log tells why"
