"""The steps of `deploy`: the digest, the start, and what the bot says meanwhile."""

from __future__ import annotations

import re
from pathlib import Path

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
