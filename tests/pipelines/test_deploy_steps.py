"""The steps of `deploy` up to the smoke test: the digest, the start, the golden rows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bot.domain.result import FailureKind
from pipelines.steps.prefix import open_prefix
from pipelines.steps.verify import verified
from tests.pipelines.deploy_kit import Deploy, states
from tests.pipelines.kit import failure_of

KEPT = "The former version keeps serving. The log of this step ends with the model server's own."


def test_a_good_version_is_verified_started_tried_and_promoted(deploy: Deploy):
    result = deploy.run()

    assert (result.state, result.failure, result.pipeline) == ("succeeded", None, "deploy")
    assert states(result) == dict.fromkeys(("verify", "apply", "smoke-test", "promote", "report"), "succeeded")
    assert (result.model_digest, result.model_size_bytes) == (deploy.arguments["model_digest"], 2007)
    assert (result.golden_rows, result.metrics, result.data) == (3, {}, None)
    assert (result.run_key, result.sha) == ("key-d", "5" * 40)
    assert deploy.bot.asked == ["apply", "promote 100"]
    assert deploy.bot.told == [{"run_id": result.run_id}]
    assert deploy.server.asked == ["POST /v2/models/churn/infer"]
    digest = deploy.arguments["model_digest"]
    assert deploy.log("verify") == [f"The model is the one that was trained: 2 files, 2 KiB, {digest}."]
    started, ready = deploy.log("apply")
    assert started == "Starting churn v1.3.0 beside what serves in production."
    assert re.fullmatch(rf"churn v1\.3\.0 is ready after \d+\.\d s at {re.escape(deploy.server.address)}\.", ready)
    assert deploy.log("smoke-test") == ["3 golden rows: all predictions equal those of evaluation."]
    assert deploy.log("promote") == ["churn v1.3.0 answers all requests in production."]


@pytest.mark.parametrize("tamper", ["change", "add", "remove", "rename"])
def test_a_model_that_was_tampered_with_is_refused_with_both_digests(deploy: Deploy, tamper: str):
    model = deploy.trained / "model"
    if tamper == "change":
        (model / "model.txt").write_text("weighty")
    elif tamper == "add":
        (model / "extra.py").write_text("")
    elif tamper == "remove":
        (model / "model.txt").unlink()
    else:
        (model / "model.txt").rename(model / "parts" / "model.txt")

    result = deploy.run()

    failure = failure_of(result)
    assert (failure.step, failure.kind) == ("verify", FailureKind.DIGEST)
    digests = re.findall(r"sha256:[0-9a-f]{64}", failure.message)
    assert failure.message == (
        f"The model in the artifact store was changed after it had been trained: its digest is {digests[0]}, "
        f"and must be {deploy.arguments['model_digest']}."
    )
    assert digests[0] != deploy.arguments["model_digest"]
    assert failure.fix == (
        "Nothing was deployed. Find out who writes to the artifact store, then train again with `/train --force`."
    )
    assert [*states(result).values()] == ["failed", "skipped", "skipped", "skipped", "succeeded"]
    assert (result.model_digest, deploy.bot.asked) == ("", [])


def test_a_link_among_the_models_files_is_tampering_too(deploy: Deploy, tmp_path: Path):
    (tmp_path / "same.txt").write_text("weights")
    (deploy.trained / "model" / "model.txt").unlink()
    (deploy.trained / "model" / "model.txt").symlink_to(tmp_path / "same.txt")

    failure = failure_of(deploy.run())

    assert (failure.kind, failure.message) == (
        FailureKind.DIGEST,
        "`model/model.txt` in the artifact store is a link or something else that no training left there.",
    )


def test_a_model_that_is_gone_or_has_no_digest_is_not_deployed(deploy: Deploy):
    gone = failure_of(deploy.run(model_prefix=(deploy.folder / "nowhere").as_uri()))
    unpinned = failure_of(deploy.run(model_digest=""))

    assert gone.message == f"There is no model below {(deploy.folder / 'nowhere').as_uri()} any more."
    assert unpinned.message.endswith("and must be (none was given).")
    assert (gone.kind, unpinned.kind, deploy.bot.asked) == (FailureKind.DIGEST, FailureKind.DIGEST, [])


def test_an_object_stores_model_has_the_digest_that_it_had_in_a_folder(deploy: Deploy):
    """fsspec's memory file system stands for S3."""
    import fsspec

    store = fsspec.filesystem("memory")
    store.store.clear()
    for file in ("model.txt", "parts/two.bin"):
        store.pipe_file(f"/runs/trained/model/{file}", (deploy.trained / "model" / file).read_bytes())

    outputs = verified(open_prefix("memory://runs/trained"), deploy.arguments["model_digest"])

    assert outputs == {"model_digest": deploy.arguments["model_digest"], "model_size_bytes": 2007, "files": 2}


def test_a_server_that_does_not_start_fails_the_step_with_its_message_and_log(deploy: Deploy):
    deploy.bot.fails = (
        "it ended with code 1: ModuleNotFoundError: No module named 'xgboost'",
        ["loading", "Traceback"],
    )

    result = deploy.run()

    failure = failure_of(result)
    assert (failure.step, failure.kind, failure.fix) == ("apply", FailureKind.SERVING, KEPT)
    assert failure.message == (
        "churn v1.3.0 could not be served: it ended with code 1: ModuleNotFoundError: No module named 'xgboost'"
    )
    assert deploy.log("apply")[1:] == ["The model server's log ends so:", "  loading", "  Traceback", failure.message]
    assert deploy.bot.asked == ["apply"]


def test_a_server_that_is_not_ready_in_time_is_given_up(deploy: Deploy):
    deploy.bot.starting = 1_000_000

    failure = failure_of(deploy.run(ready_timeout_s=0.2))

    assert (failure.step, failure.kind) == ("apply", FailureKind.SERVING)
    assert failure.message == "churn v1.3.0 was not ready within 0.2 s."


def test_a_deployment_that_is_not_wanted_any_more_ends_with_the_bots_words_and_is_not_asked_again(deploy: Deploy):
    words = ("The approval is void: alice left @acme/ml-leads.", "Ask for approval again with `/deploy production`.")
    deploy.bot.refuses = {"promote 100": words}

    result = deploy.run()

    failure = failure_of(result)
    assert (failure.step, failure.kind) == ("promote", FailureKind.REFUSED)
    assert (failure.message, failure.fix) == words
    assert deploy.bot.asked == ["apply", "promote 100"]


def test_a_bot_that_is_being_restarted_is_waited_for(deploy: Deploy):
    deploy.bot.outage = 3

    result = deploy.run()

    assert result.state == "succeeded"
    away, back = deploy.log("apply")[1:3]
    assert away == "The bot does not answer (it answered 503); trying again for 10 min."
    assert re.fullmatch(r"The bot answers again after \d+\.\d s\.", back)


def test_the_time_for_which_the_bot_is_away_is_not_the_model_servers(deploy: Deploy):
    deploy.bot.outage, deploy.bot.outage_at, deploy.bot.starting = 3, "look", 4

    assert deploy.run(ready_timeout_s=0.5).state == "succeeded"


def test_a_bot_that_stays_away_ends_the_deployment(deploy: Deploy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pipelines.steps.bot_serving.OUTAGE_LIMIT_S", 0.5)

    failure = failure_of(deploy.run(callback_url="http://127.0.0.1:9/callbacks/runs/run-1"))

    assert (failure.step, failure.kind) == ("apply", FailureKind.UNREACHABLE)
    assert failure.message == "The bot did not answer for 0.5 s: [Errno 111] Connection refused."


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "This run was given no address of the bot, which alone can let the model serve."),
        ("file:///etc/passwd", "The bot's address can not be used: the address is neither http nor https."),
    ],
)
def test_a_deployment_without_a_bot_says_so(deploy: Deploy, url: str, message: str):
    failure = failure_of(deploy.run(callback_url=url))

    assert (failure.step, failure.kind, failure.message) == ("apply", FailureKind.UNREACHABLE, message)


@pytest.mark.parametrize("status", [401, 404])
def test_a_bot_that_does_not_know_the_run_is_not_asked_again(deploy: Deploy, status: int):
    deploy.bot.status = status

    failure = failure_of(deploy.run())

    assert failure.kind is FailureKind.REFUSED
    assert failure.message == f"The bot answered {status}: it does not know this run, or not its token."


def test_predictions_that_differ_are_named_row_by_row(deploy: Deploy):
    deploy.server.predict = lambda rows: [sum(row) + (1 if row[0] > 1 else 0) for row in rows]

    result = deploy.run()

    failure = failure_of(result)
    assert (failure.step, failure.kind) == ("smoke-test", FailureKind.SMOKE_TEST)
    assert failure.message == (
        "The served model predicts otherwise than in evaluation, for 2 of 3 golden rows: "
        "row 2: 8.0 instead of 7; row 3: 12.0 instead of 11."
    )
    assert deploy.bot.asked == ["apply"]
    assert states(result)["promote"] == "skipped"


def test_only_the_first_rows_that_differ_are_shown(deploy: Deploy):
    deploy.keep_golden({"inputs": [[1]] * 100, "predictions": ["x" * 1000] * 100})
    deploy.server.predict = lambda rows: ["no"] * len(rows)

    message = failure_of(deploy.run()).message

    assert message.startswith(
        "The served model predicts otherwise than in evaluation, for 100 of 100 golden rows: row 1: "
    )
    assert message.endswith("xxx…; and 97 more.")
    assert len(message) < 600


EQUAL: list[tuple[list[Any], list[Any]]] = [
    ([1, 0], [1.0, 0]),
    ([0.1, 2.5e8], [0.1 + 1e-9, 2.5e8 + 1]),
    ([0.0], [1e-12]),
    (["cat", "dog"], ["cat", "dog"]),
    ([True, False], [True, False]),
    ([[0.25, 0.75], [1, 0]], [[0.25, 0.75], [1, 0]]),
    ([[3.5], [4.5]], [3.5, 4.5]),
]
DIFFERENT: list[tuple[list[Any], list[Any], str]] = [
    ([10**9, 0], [10**9 + 1, 0], "row 1: 1000000001 instead of 1000000000"),
    ([0.1, 0.2], [0.1, 0.20001], "row 2: 0.20001 instead of 0.2"),
    (["1", "2"], [1, 2], "row 1: 1 instead of '1'; row 2: 2 instead of '2'"),
    ([1, 2], [None, 2], "row 1: None instead of 1"),
    ([0.5], [float("nan")], "row 1: nan instead of 0.5"),
    ([[1, 0], [0, 1]], [[1, 0], [1, 0]], "row 2: [1, 0] instead of [0, 1]"),
    ([1, 2], [[1, 0], [2, 0]], "row 1: [1, 0] instead of 1; row 2: [2, 0] instead of 2"),
]


def tried(deploy: Deploy, expected: list[Any], served: list[Any]) -> str:
    deploy.keep_golden({"inputs": [[1.5, 2]] * len(expected), "predictions": expected})
    deploy.server.predict = lambda rows: served
    failure = deploy.run().failure
    return failure.message if failure else ""


@pytest.mark.parametrize(("expected", "served"), EQUAL)
def test_predictions_are_equal_but_for_rounding(deploy: Deploy, expected: list[Any], served: list[Any]):
    assert tried(deploy, expected, served) == ""


@pytest.mark.parametrize(("expected", "served", "words"), DIFFERENT)
def test_predictions_that_are_not_equal_are_found(deploy: Deploy, expected: list[Any], served: list[Any], words: str):
    rows = len(expected)
    prefix = "The served model predicts otherwise than in evaluation, for "
    message = tried(deploy, expected, served)
    assert re.fullmatch(rf"{prefix}\d of {rows} golden rows: {re.escape(words)}\.", message)


def test_rows_of_text_are_sent_as_text(deploy: Deploy):
    deploy.keep_golden({"inputs": [["so", "good"], ["so", "bad"]], "predictions": ["so good", "so bad"]})
    deploy.server.predict = lambda rows: [" ".join(row) for row in rows]

    assert deploy.run().golden_rows == 2


def test_without_golden_rows_only_readiness_and_metadata_are_asked_for_and_that_is_said(deploy: Deploy):
    result = deploy.run(golden_prefix="")

    assert (result.state, result.golden_rows) == ("succeeded", 0)
    assert deploy.server.asked == ["GET /v2/health/ready", "GET /v2/models/churn"]
    (said,) = deploy.log("smoke-test")
    assert said == (
        "There are no golden rows, as evaluation wrote no golden.json: churn v1.3.0 is ready and knows its name, but "
        "what it predicts was not looked at."
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "it is not there any more"), ("[]", "it is not an object with `inputs` and `predictions`")],
)
def test_golden_rows_that_were_there_and_are_not_any_more_fail_the_smoke_test(
    deploy: Deploy, content: str | None, why: str
):
    golden = deploy.trained / "golden.json"
    golden.unlink() if content is None else golden.write_text(content)

    failure = failure_of(deploy.run())

    assert (failure.step, failure.kind) == ("smoke-test", FailureKind.SMOKE_TEST)
    assert failure.message == f"golden.json, which evaluation left in the artifact store, can not be used: {why}."


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (500, {"error": "X has 2 features, but 3 are expected"}),
            "answered 500: X has 2 features, but 3 are expected",
        ),
        ((500, b"<html>" + b"x" * 1000), "answered 500: <html>" + "x" * 294 + "…"),
        ((200, b"not JSON"), "can not be read: there is no list at `outputs[0].data`: None."),
        ((200, {"outputs": []}), "can not be read: there is no list at `outputs[0].data`: {'outputs': []}."),
        ((200, {"outputs": [{"data": [1, 2]}]}), "can not be read: it has 2 values for 3 rows."),
        ((200, b"x" * 5_000_000), "gave no answer (the answer is larger than 4 MiB)"),
    ],
)
def test_an_answer_that_is_none_fails_the_smoke_test(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, Any], words: str
):
    monkeypatch.setattr("pipelines.steps.inference.PATIENCE_S", 0.2)
    deploy.server.answer = answer

    failure = failure_of(deploy.run())

    assert (failure.step, failure.kind) == ("smoke-test", FailureKind.SMOKE_TEST)
    assert failure.message.endswith(words)
    assert json.dumps(failure.message)


def test_a_route_that_opens_a_moment_later_is_waited_for(deploy: Deploy):
    deploy.server.unready = 2

    assert deploy.run().state == "succeeded"
