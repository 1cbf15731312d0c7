"""What the pages tell of deployments, environments, models and the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from bot.domain.deployment import DeploymentPhase
from bot.domain.feedback import LedgerEntry, Waiver
from bot.domain.version import VersionPhase
from tests.web.kit import Workplace, client
from tests.web.seed import NOW, REPOSITORY, ago
from tests.web.seed_deployments import IDS, MODEL, RULE, a_deployment, a_version, seed_deployments
from tests.web.test_pages import words

pytestmark = pytest.mark.anyio

MODEL_PAGE = f"/repositories/{REPOSITORY.key}/models/{MODEL}"


@pytest.fixture
async def http(day: Workplace) -> AsyncIterator[httpx.AsyncClient]:
    seed_deployments(day)
    async with client(day, headers=day.bearer) as http:
        yield http


async def read(http: httpx.AsyncClient, path: str) -> str:
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return words(answer.text)


async def test_a_waiting_deployment_shows_how_far_it_is_and_who_let_it_pass(http: httpx.AsyncClient) -> None:
    page = await read(http, f"/deployments/{IDS.waiting}")

    assert "breast-cancer to production Waits for approval 1 of 2 commit 3f2a9c1d" in page
    assert "asked by alice approved 1 of 2 its turn to come registered to come deployed to come live to come" in page
    assert "Approvals that were given before count no more: the head is now 3f2a9c1d5e ." in page
    assert "carol approved, and does not count It was given for something else" in page
    assert "carol approved in a comment" in page
    assert "It may be approved by @acme/ml-leads or carol , but not by alice" in page
    assert "To let it go live: /approve production ." in page


async def test_what_would_go_live_is_compared_with_what_serves(http: httpx.AsyncClient) -> None:
    page = await read(http, f"/deployments/{IDS.waiting}")

    assert "What it brings against v1.1.0" in page
    assert "accuracy 0.951 ± 0.008 0.94 ± 0.008 +0.011" in page
    assert "n_estimators 400 200 changed" in page
    assert "model size 1.3 MiB 121 KiB" in page
    assert "digest sha256:77aa41c05d8e" in page
    assert "Trained by run-good" in page


async def test_a_gate_that_was_waived_is_shown_with_who_and_why(day: Workplace, http: httpx.AsyncClient) -> None:
    run = day.store.run("run-good")
    assert run is not None
    waiver = Waiver(REPOSITORY.key, 1, MODEL, "accuracy >= 0.99", "known <outlier>", "carol", NOW, ago(days=-30))
    with day.store.transaction() as tx:
        tx.save_run(replace(run, gates=("accuracy >= 0.93", waiver.gate)))
        tx.add_waiver(waiver)

    page = await read(http, f"/deployments/{IDS.waiting}")

    assert "Gates: 2 gates passed, 1 of them by a waiver" in page or "waived" in page
    assert f"carol waived accuracy >= 0.99 until {waiver.expires_at:%Y-%m-%d}: known <outlier>" in page


async def test_on_plain_git_the_page_has_the_box_to_approve_in(day: Workplace, http: httpx.AsyncClient) -> None:
    page = (await http.get(f"/deployments/{IDS.waiting}")).text
    posted = await http.post(f"/repositories/{REPOSITORY.key}/changes/1/comments", data={"body": "/approve production"})

    assert f'action="/repositories/{REPOSITORY.key}/changes/1/comments"' in page
    assert ">/approve production</textarea>" in page
    assert posted.status_code == 303
    assert [post.body for post in day.records.posts(REPOSITORY.key, 1)][-1] == "/approve production"


async def test_a_live_deployment_tells_its_endpoint_and_the_line_that_asks_it(http: httpx.AsyncClient) -> None:
    page = await read(http, f"/deployments/{IDS.live}")

    assert "breast-cancer to production Live since" in page
    assert "approved 2 of 2 its turn came registered v1.1.0 deployed verified, started and tested live serves" in page
    assert "http://127.0.0.1:8321/serve/production/breast-cancer" in page
    assert "Authorization: Bearer $MLOPS_BOT_PREDICT_TOKEN" in page
    assert "against v1.0.0" in page
    assert "Assignment breast-cancer#production#3" in page
    assert "carol approved in a button" in page


async def test_a_failed_deployment_tells_why_what_serves_now_and_the_last_words(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/deployments/{IDS.failed}")
    page = words(answer.text)

    assert "asked by alice its turn came registered v1.2.0 deployed failed live not reached" in page
    assert "could not be served: joblib can not read <script>it</script>." in page
    assert "v1.1.0 serves in staging , as before." in page
    assert "What was said at last the whole run Starting breast-cancer v1.2.0 ModuleNotFoundError" in page
    assert "<script>it" not in answer.text
    assert "<b>sklearn" not in answer.text


async def test_one_that_is_on_its_way_tells_at_which_step(http: httpx.AsyncClient) -> None:
    page = await read(http, f"/deployments/{IDS.deploying}")

    assert "breast-cancer to staging Deploying smoke-test, step 3 of 5 version v1.2.0" in page
    assert "deployed smoke-test, step 3 of 5 live to come" in page
    assert "Deployed by run-deploying" in page


@pytest.mark.parametrize(
    ("phase", "fields", "told"),
    [
        (DeploymentPhase.WAITING_FOR_RUN, {"run_id": ""}, "asked by alice trained the run is awaited its turn to come"),
        (DeploymentPhase.WAITING_FOR_TURN, {}, "asked by alice its turn place 2 registered to come"),
        (DeploymentPhase.REJECTED, {"rule": RULE}, "asked by alice approved rejected its turn not reached"),
        (DeploymentPhase.EXPIRED, {"rule": RULE}, "asked by alice approved expired its turn not reached"),
        (DeploymentPhase.SUPERSEDED, {}, "asked by alice its turn superseded registered not reached"),
        (DeploymentPhase.REGISTERING, {}, "its turn came registered its tag is pushed deployed to come"),
    ],
)
async def test_each_phase_has_its_place_on_the_way(
    day: Workplace, http: httpx.AsyncClient, phase: DeploymentPhase, fields: dict[str, object], told: str
) -> None:
    deployment = a_deployment("dep-other", phase, environment="staging", requested_at=NOW, **fields)
    if phase is DeploymentPhase.REGISTERING:
        deployment = a_deployment("dep-other", phase, environment="canary", requested_at=NOW, **fields)
    with day.store.transaction() as tx:
        tx.add_deployment(deployment, now=NOW)

    assert told in await read(http, "/deployments/dep-other")


async def test_the_environments_show_what_serves_since_when_and_how_its_servers_stand(http: httpx.AsyncClient) -> None:
    page = await read(http, "/environments")

    assert "production breast-cancer v1.1.0 ready plain/models since 4 h ago , by alice" in page
    assert "v1.1.0 100 % ready 0 1204 3 11.3 ms" in page
    assert "It answers at http://127.0.0.1:8321/serve/production/breast-cancer" in page
    assert "staging breast-cancer v1.1.0 starting plain/models since 5 h ago , by alice" in page
    assert "v1.2.0 10 % starting 2 120 0 9.5 ms v1.1.0 90 % ready 0 1204 3 11.3 ms" in page
    assert "breast-cancer to staging deploying: smoke-test, step 3 of 5 v1.2.0 #3 bob" in page


async def test_an_environments_page_also_shows_its_earlier_deployments(http: httpx.AsyncClient) -> None:
    page = await read(http, "/environments/production")

    assert "breast-cancer to production was live, until another version took its place v1.0.0" in page
    assert "breast-cancer to staging" not in page
    assert (await http.get("/environments/nowhere")).status_code == 404


async def test_a_model_shows_its_versions_where_they_serve_and_what_served_before(http: httpx.AsyncClient) -> None:
    page = await read(http, MODEL_PAGE)

    assert "Where it serves production v1.1.0 ready On its way: waits for approval, 1 of 2 since 4 h ago , by" in page
    assert "production v1.0.0 yesterday 4 h ago bob" in page
    assert "Versions 3 Version Serves in Metrics Gates Commit Data By v1.2.0 — accuracy 0.95" in page
    assert "v1.1.0 production staging accuracy 0.94 log_loss 0.18 2 of 3 met, 1 waived roc_auc >= 0.97: known" in page
    assert "breast-cancer v1.2.0 what it was made from" in page
    assert "mlops-bot reproduce breast-cancer@v1.2.0" in page


async def test_a_models_page_tells_how_the_chosen_version_came_to_serve(http: httpx.AsyncClient) -> None:
    page = await read(http, f"{MODEL_PAGE}?version=v1.1.0")

    assert "Commit 0b1c2d3e , tagged breast-cancer@v1.1.0 at 11111111" in page
    assert "Data 1c2d3e4f breast_cancer.csv, 401 rows" in page
    assert "Run run-base" in page
    assert "Deployed production , live, asked for by alice, approved by carol, approved by erin answers at http" in page
    assert (await http.get(f"{MODEL_PAGE}?version=v9.0.0")).status_code == 404


async def test_metrics_over_versions_are_drawn(http: httpx.AsyncClient) -> None:
    page = (await http.get(MODEL_PAGE)).text
    picture = await http.get(f"{MODEL_PAGE}/charts/accuracy")

    assert f'src="{MODEL_PAGE}/charts/accuracy?of=' in page
    assert page.index("charts/accuracy") < page.index("charts/log_loss")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert "accuracy over versions: v1.0.0 0.93; v1.1.0 0.94, served; v1.2.0 0.95" in picture.text
    assert (await http.get(f"{MODEL_PAGE}/charts/nothing")).status_code == 404


async def test_a_deleted_tag_and_a_refused_registration_are_said(day: Workplace, http: httpx.AsyncClient) -> None:
    gone = a_version(0, phase=VersionPhase.MISSING, problem="its tag was deleted")
    refused = a_version(2, phase=VersionPhase.REFUSED, problem="The remote says: `denied`", commit_sha="")
    with day.store.transaction() as tx:
        tx.save_version(gone)
        tx.save_version(refused)

    page = await read(http, MODEL_PAGE)

    assert "v1.0.0 its tag is gone its tag was deleted" in page
    assert "could not be registered The remote says: denied" in page


async def test_a_model_that_was_never_deployed_tells_how_to(http: httpx.AsyncClient) -> None:
    page = await read(http, f"/repositories/{REPOSITORY.key}/models/diabetes")

    assert "Nowhere yet. /deploy staging diabetes on a change asks for it." in page
    assert "None yet. A good result becomes one when it is deployed, or when it reaches main." in page
    assert (await http.get(f"/repositories/{REPOSITORY.key}/models/nothing")).status_code == 404


async def test_other_pages_lead_there(http: httpx.AsyncClient) -> None:
    home = await http.get("/")
    repository = await http.get(f"/repositories/{REPOSITORY.key}")
    change = await http.get(f"/repositories/{REPOSITORY.key}/changes/1")
    run = await http.get("/runs/run-deploying")

    assert "production breast-cancer v1.1.0 : ready breast-cancer : waits for approval" in words(home.text)
    assert f'href="{MODEL_PAGE}"' in repository.text
    assert "breast-cancer Passed production : v1.1.0 staging : v1.1.0" in words(repository.text)
    assert f'href="/deployments/{IDS.waiting}"' in change.text
    assert "Deployments breast-cancer to production waits for approval, 1 of 2" in words(change.text)
    assert f'href="/deployments/{IDS.deploying}"' in run.text


async def test_the_run_of_a_deployment_shows_its_own_steps_and_is_not_run_again(http: httpx.AsyncClient) -> None:
    running = await read(http, "/runs/run-deploying")
    failed = await http.get("/runs/run-failed-deploy")

    assert "It carries out the deployment of breast-cancer v1.2.0 to staging ." in running
    assert "smoke-test running" in running
    assert "promote pending report pending" in running
    assert "Failed at apply serving" in words(failed.text)
    assert "Run again" not in failed.text
    assert "reported no metrics" not in failed.text


async def test_the_ledger_shows_who_did_what_newest_first_and_filters(http: httpx.AsyncClient) -> None:
    everything = await http.get("/ledger")
    page = words(everything.text)
    production = await read(http, "/ledger?environment=production")
    model = await read(http, f"/ledger?repository={REPOSITORY.key}&model={MODEL}")

    assert page.index("run succeeded run-good") < page.index("deployment approved by") < page.index("deployment live")
    assert "<i>fine" not in everything.text
    assert f'href="/deployments/{IDS.live}"' in everything.text
    assert "run succeeded" not in production
    assert "version registered" not in production
    assert "version registered breast-cancer" in model
    assert "run succeeded" not in model
    assert "/api/v1/ledger?environment=production" in production


async def test_the_ledger_has_pages_of_a_hundred(day: Workplace, http: httpx.AsyncClient) -> None:
    with day.store.transaction() as tx:
        for number in range(130):
            tx.append_ledger(LedgerEntry(ago(days=9), "eve", f"thing_{number}", "plain/other", "x"))

    first = await http.get("/ledger?repository=plain/other")
    older = next(part.partition('"')[0] for part in first.text.split('href="/ledger?') if "before=" in part)
    second = await http.get(f"/ledger?{older.replace('&amp;', '&')}")

    assert first.text.count('id="entry-') == 100
    assert second.text.count('id="entry-') == 30
    assert "thing 29" in second.text
    assert "Older" not in words(second.text)
    assert (await http.get("/ledger?before=x&model=%00")).status_code == 200


async def test_before_anything_is_deployed_pages_tell_how_to_begin(place: Workplace) -> None:
    async with client(place, headers=place.bearer) as http:
        environments, ledger = await read(http, "/environments"), await read(http, "/ledger")

    assert "Nothing is deployed yet" in environments
    assert "/deploy staging" in environments
    assert "Nothing was recorded yet." in ledger
