"""What people read on the pages, and that nothing from outside ever acts there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from structlog.testing import capture_logs

from bot.domain.change import Repository
from bot.domain.check import Check, CheckStatus, Conclusion
from bot.domain.errors import UserError
from bot.domain.feedback import Notice, Subject, SubjectFeedback
from bot.domain.result import FailureKind
from bot.domain.run import Phase
from tests.web.kit import Workplace, client
from tests.web.seed import MAIN_SHA, NOW, REPOSITORY, a_change

pytestmark = pytest.mark.anyio

CHANGE = "/repositories/plain/models/changes/1"


@pytest.fixture
async def http(day: Workplace) -> AsyncIterator[httpx.AsyncClient]:
    async with client(day, headers=day.bearer) as http:
        yield http


def words(page: str) -> str:
    """A page's text as it is read, with single spaces."""
    text = re.sub(r"<(script|svg)[^>]*>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(text.replace("&#39;", "'").replace("&gt;", ">").replace("&lt;", "<").split())


async def test_an_empty_bot_tells_how_to_make_the_first_repository(place: Workplace) -> None:
    async with client(place, headers=place.bearer) as http:
        page = words((await http.get("/")).text)

    assert "No repository is watched yet" in page
    assert f"git init --bare {place.home}/repositories/my-models.git" in page
    assert "mlops-bot watch PATH" in page


async def test_the_list_shows_each_open_change_with_the_state_of_its_models(http: httpx.AsyncClient) -> None:
    page = words((await http.get("/")).text)

    assert "models plain breast-cancer on main: passed diabetes on main: passed" in page
    assert "Deeper trees for the breast cancer classifier #3 · deeper by bob" in page
    assert "breast-cancer : running diabetes : queued" in page
    assert "Impute missing blood pressure #2 · impute by alice" in page
    assert "diabetes : failed" in page
    assert "Remove a loader" not in page


async def test_a_change_for_which_nothing_ran_shows_in_the_list_why(day: Workplace, http: httpx.AsyncClient) -> None:
    change = a_change(5, title="Break the file", source_branch="broken", head_sha="e" * 40)
    with day.store.transaction() as tx:
        tx.save_change(change)
    title = "`mlops.yaml` has 2 errors"
    check = Check(
        "mlops", change.head_sha, CheckStatus.COMPLETED, Conclusion.FAILURE, title, summary="", details_url=""
    )
    day.records.save_check(change.repository, check)

    for path in ("/", "/repositories/plain/models"):
        answer = await http.get(path)
        shown = re.sub(r"\d+ min ago", "some min ago", words(answer.text))
        assert "Break the file #5 · broken by alice, opened some min ago mlops.yaml has 2 errors" in shown


async def test_a_repository_shows_its_models_newest_metrics_and_all_changes(http: httpx.AsyncClient) -> None:
    page = words((await http.get("/repositories/plain/models")).text)

    assert "Models on main breast-cancer Passed accuracy 0.944 log_loss 0.17 roc_auc 0.9871" in page
    assert "diabetes Passed r2 0.47 rmse 54.2" in page
    assert "Open changes 3" in page
    assert "Closed changes Remove a loader #4 · tidy by alice, opened 3 days ago · merged" in page


async def test_a_repository_without_runs_tells_the_next_step(place: Workplace) -> None:
    with place.store.transaction() as tx:
        tx.add_repository(Repository("plain/new", "/srv/new.git", "trunk"), now=NOW)
    async with client(place, headers=place.bearer) as http:
        page = words((await http.get("/repositories/plain/new")).text)

    assert "Nothing was trained on trunk yet. A push there trains the models" in page
    assert "git switch -c idea" in page


async def test_a_change_shows_what_is_proposed_its_checks_the_report_and_the_comment_box(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.get(CHANGE)
    page = words(answer.text)

    assert "Try four hundred trees #1 Open alice proposes more-trees → main at 3f2a9c1d" in page
    assert "Checks mlops/breast-cancer Passed: 4 gates passed" in page
    assert "all 2 models passed their gates" in page
    assert "Reused run run-base2 : nothing it depends on has changed." in page
    assert "/train n_estimators=400 seen done" in page
    assert 'placeholder="/train n_estimators=400"' in answer.text
    assert "Models here: breast-cancer , diabetes ." in page
    assert 'href="/runs/run-good"' in answer.text
    assert "http://127.0.0.1:8321/" not in answer.text


async def test_a_failed_check_shows_its_annotations_at_their_lines(http: httpx.AsyncClient) -> None:
    page = words((await http.get("/repositories/plain/models/changes/2")).text)

    assert "mlops/breast-cancer Failed: train failed: ValueError models/diabetes/train.py:18 ValueError: NaN" in page


async def test_a_comment_is_posted_and_shown(day: Workplace, http: httpx.AsyncClient) -> None:
    posted = await http.post(f"{CHANGE}/comments", data={"body": "/train\r\nmore *trees*"})
    page = await http.get(CHANGE)

    assert (posted.status_code, posted.headers["location"]) == (303, f"{CHANGE}#latest")
    assert [post.body for post in day.records.posts("plain/models", 1)][-1] == "/train\nmore *trees*"
    assert "more <em>trees</em>" in page.text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("  \n", "The comment is empty. Write something, for example `/help`."),
        ("x" * 1_000_000, "The comment has 1,000,000 characters. Keep it within 65,536."),
    ],
)
async def test_a_comment_that_is_refused_stays_in_the_box_with_the_reason(
    day: Workplace, http: httpx.AsyncClient, body: str, said: str
) -> None:
    before = day.records.posts("plain/models", 1)
    answer = await http.post(f"{CHANGE}/comments", data={"body": body})

    assert answer.status_code == 422
    assert said in words(answer.text)
    assert f"required autofocus>{body}</textarea>" in answer.text
    assert day.records.posts("plain/models", 1) == before


async def test_a_form_that_is_far_too_long_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{CHANGE}/comments", content=b"body=" + b"x" * 5_000_000)

    assert answer.status_code == 413
    assert "What you sent is too long." in answer.text


async def test_a_finished_run_shows_gates_metrics_plots_lineage_and_files(http: httpx.AsyncClient) -> None:
    answer = await http.get("/runs/run-good")
    page = words(answer.text)

    assert "breast-cancer train Passed commit 3f2a9c1d asked for by alice" in page
    assert "fetch succeeded · 0.4 s 90.0 MiB · 0.4 s CPU" in page
    assert "log_loss <= base * 1.1 0.142 <= 0.187 (base 0.17 * 1.1) passed 0.142 <= 0.187" in page
    assert "accuracy 0.951 ± 0.008 0.944 +0.007 ▲ better" in page
    assert "log_loss 0.142 0.17 -0.028 ▼ better" in page
    assert "Confusion matrix 137 of 143 right" in page
    assert "malignant 4 51 92.7 %" in page
    assert "n_estimators 400 was 40" in page
    assert "Data 1c2d3e4f breast_cancer.csv, 426 rows, 86.9 KiB" in page
    assert "Model sha256:77aa41c05d8e , 1.3 MiB" in page
    assert "model/model.joblib 39.1 KiB" in page
    assert '<img class="plot" loading="lazy" src="/runs/run-good/plots/plots/roc.csv" alt="ROC curve">' in answer.text
    assert "Run again" in page
    assert "sse-connect" not in answer.text


async def test_a_failed_run_shows_the_step_the_fix_the_frames_and_the_log(http: httpx.AsyncClient) -> None:
    page = words((await http.get("/runs/run-bad")).text)

    assert "Failed at train exception ValueError: Input X contains NaN." in page
    assert "Look at the rows with missing values, or impute them before fit ." in page
    assert "models/diabetes/dataset.py:11 in load models/diabetes/train.py:18 in <module>" in page
    assert "evaluate skipped" in page
    assert "model.fit(X, y)" in page


async def test_a_canceled_run_is_not_said_to_have_failed(day: Workplace, http: httpx.AsyncClient) -> None:
    bad = day.store.run("run-bad")
    assert bad is not None
    assert bad.result is not None
    assert bad.result.failure is not None
    failure = replace(bad.result.failure, kind=FailureKind.CANCELED, message="The run was canceled.", fix="", frames=())
    result = replace(bad.result, failure=failure)
    with day.store.transaction() as tx:
        tx.save_run(replace(bad, phase=Phase.CANCELED, result=result))
    page = words((await http.get("/runs/run-bad")).text)

    assert "Ended at train The run was canceled." in page
    assert "Failed at" not in page


async def test_a_running_run_shows_its_steps_and_its_log_without_terminal_codes(http: httpx.AsyncClient) -> None:
    answer = await http.get("/runs/run-now")
    page = words(answer.text)

    assert "fetch succeeded · 0.6 s train running" in page
    assert "evaluate pending report pending" in page
    assert "tree 1 of 400 30% done tree 2 of 400" in page
    assert "Cancel" in page
    assert re.search(r'id="log-train" open', answer.text)


async def test_a_queued_run_tells_its_place(http: httpx.AsyncClient) -> None:
    assert "Queued number 1 in the queue" in words((await http.get("/runs/run-later")).text)


async def test_a_reused_run_names_the_run_whose_result_it_shows(http: httpx.AsyncClient) -> None:
    page = words((await http.get("/runs/run-reused")).text)

    assert "Nothing that this run depends on has changed, so it shows the result of run-base2 ." in page
    assert "rmse 54.2" in page


async def test_the_buttons_cancel_and_run_again_as_the_one_who_runs_the_bot(
    day: Workplace, http: httpx.AsyncClient
) -> None:
    user = day.app.state.site.user
    canceled = await http.post("/runs/run-now/cancel", data={})
    again = await http.post("/runs/run-good/rerun", data={})

    assert [canceled.status_code, again.status_code] == [303, 303]
    assert day.acted == [("cancel", "run-now", user), ("rerun", "run-good", user)]


async def test_a_button_that_is_refused_says_why(day: Workplace, http: httpx.AsyncClient) -> None:
    day.refusal = UserError("This run has ended already.", "Use `/retry`.")
    answer = await http.post("/runs/run-good/cancel", data={})

    assert answer.status_code == 409
    assert "This run has ended already. Use `/retry`." in words(answer.text)


async def test_a_commit_shows_its_runs_checks_and_what_was_said_of_it(day: Workplace, http: httpx.AsyncClient) -> None:
    notice = Notice(MAIN_SHA, "failure", "mlops.yaml is not valid", "line 3: `modles` is **unknown**")
    with day.store.transaction() as tx:
        tx.show(SubjectFeedback(Subject(REPOSITORY.key, None, "main", MAIN_SHA), notice), now=NOW)
    page = words((await http.get(f"/repositories/plain/models/commits/{MAIN_SHA}")).text)

    assert "Commit 0b1c2d3e" in page
    assert "mlops.yaml is not valid line 3: modles is unknown" in page
    assert "breast-cancer Passed 4 gates passed" in page


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/runs/run-unknown",
        "/runs/%2E%2E",
        "/repositories/plain/none",
        "/repositories/plain/models/changes/99",
        f"/repositories/plain/models/commits/{'9' * 40}",
        "/runs/run-good/files/none.txt",
        "/runs/run-good/plots/metrics.json",
    ],
)
async def test_what_is_not_there_is_said_on_a_friendly_page(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    assert answer.status_code == 404
    assert "Nothing here There is no such page." in words(answer.text)
    assert "To the repositories" in answer.text


async def test_a_bug_is_said_to_be_ours_and_tells_no_details(day: Workplace, http: httpx.AsyncClient) -> None:
    with day.store.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE runs")
    with capture_logs() as logged:
        answer = await http.get("/runs/run-good")

    assert answer.status_code == 500
    assert "That was our mistake Something broke in mlops-bot." in words(answer.text)
    assert "no such table" not in answer.text
    assert [(entry["event"], entry["path"]) for entry in logged] == [("request_failed", "/runs/run-good")]
