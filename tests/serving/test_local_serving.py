"""Serving on this machine, with real model servers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from datetime import timedelta
from pathlib import Path
from subprocess import run

import psutil
import pytest

from bot.domain.errors import TransientError
from bot.domain.serving import ObservedService, RevisionState, Traffic
from bot.ports.serving import Backend
from bot.serving.manifest import manifests
from tests.serving.kit import Counter, Shop, in_background, infer, service, tensor, until

READY, FAILED, STARTING = RevisionState.READY, RevisionState.FAILED, RevisionState.STARTING


def test_a_killed_bot_finds_its_servers_again_and_a_killed_server_is_started_again_and_counted(
    own_counter: Counter, shop: Shop
) -> None:
    live = shop.revision("weights", runtime="python")
    desired = service("sums", (live, 100))

    arguments = [str(own_counter.home), str(shop.cache), json.dumps(manifests(desired))]
    killed = run([sys.executable, "-m", "tests.serving.doomed_bot", *arguments], check=False)
    pid = own_counter.server_pid("sums", live)
    own_counter.restart()
    found = own_counter.wait("sums", live)

    assert killed.returncode == -signal.SIGKILL
    assert own_counter.serving.services() == [desired]
    assert (own_counter.server_pid("sums", live), found.restarts, found.percent) == (pid, 0, 100)
    assert own_counter.backends("sums") == [Backend(f"staging/sums/{live.id}", found.address, 100)]
    answer = infer(found.address, "sums", tensor([3.0, 4.0], [1, 2])).json()["outputs"][0]
    assert (answer["datatype"], answer["data"]) == ("INT32", [44])
    refused = infer(found.address, "sums", tensor([3.0], [1, 1]))
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": "predict.py can not take this: there are 2 weights"},
    )

    own_counter.heard.clear()
    os.kill(pid, signal.SIGKILL)
    until(lambda: own_counter.seen("sums", live).restarts == 1)
    again = own_counter.wait("sums", live)

    assert again.restarts == 1
    assert infer(again.address, "sums", tensor([1.0, 1.0], [1, 2])).json()["outputs"][0]["data"] == [12]
    assert ("staging", "sums") in own_counter.heard
    assert any("The model server was ended by SIGKILL." in line for line in again.log_tail)


def test_a_candidate_starts_beside_what_serves_and_is_ended_only_when_its_last_request_is_answered(
    counter: Counter, shop: Shop, tmp_path: Path
) -> None:
    live, candidate = shop.revision("cancer"), shop.revision("weights", runtime="python", version="v2.0.0")
    counter.apply("cancer", (live, 100), (candidate, 0))
    beside = counter.wait("cancer", candidate)
    both = counter.backends("cancer")

    counter.apply("cancer", (live, 0), (candidate, 100))
    switched = counter.backends("cancer")
    key, pid = switched[1].revision_id, counter.server_pid("cancer", candidate)
    counter.serving.entered(key)
    waiting = in_background(lambda: infer(beside.address, "cancer", tensor([str(tmp_path / "go")], [1], "BYTES")))
    counter.apply("cancer", (live, 100))  # back at once, since it was kept warm
    rolled_back = counter.backends("cancer")
    routes_closed = counter.seen("cancer", candidate).state
    until(lambda: counter.serving._revisions[key]._unwanted_since_s is not None)
    is_alive_meanwhile = psutil.pid_exists(pid)
    (tmp_path / "go").touch()
    answer = waiting()
    counter.serving.left(key, status=answer.status_code, elapsed_s=0.1)
    until(lambda: not psutil.pid_exists(pid), "the candidate ends")

    assert [(one.revision_id, one.percent) for one in both] == [
        (f"staging/cancer/{live.id}", 100), (f"staging/cancer/{candidate.id}", 0),
    ]  # fmt: skip
    assert len({one.address for one in both}) == 2
    assert [one.percent for one in switched] == [0, 100]
    assert [(one.revision_id, one.percent) for one in rolled_back] == [(f"staging/cancer/{live.id}", 100)]
    assert routes_closed is RevisionState.GONE
    assert is_alive_meanwhile
    assert (answer.status_code, answer.json()["outputs"][0]["data"]) == (200, ["waited"])
    assert counter.seen("cancer", live).state is READY
    until(lambda: not (counter.folder("cancer", candidate).path / "model").exists(), "its files are gone")


def test_a_model_that_does_not_load_fails_with_the_last_words_of_its_log_and_is_not_started_again(
    counter: Counter, shop: Shop
) -> None:
    candidate = shop.revision("garbage")
    counter.apply("broken", (candidate, 0))
    failed = counter.wait("broken", candidate, FAILED)

    assert failed.message.startswith("The model could not be loaded: ")
    assert failed.restarts == 0
    assert any("Traceback" in line for line in failed.log_tail)
    assert counter.backends("broken") == []
    assert counter.serving._revisions[f"staging/broken/{candidate.id}"].given_up
    counter.serving.remove("staging", "broken")
    until(lambda: f"staging/broken/{candidate.id}" not in counter.serving._revisions)


def test_a_model_that_was_tampered_with_is_refused_loudly(counter: Counter, shop: Shop, tmp_path: Path) -> None:
    shutil.copytree(shop.models / "cancer", tmp_path / "cancer")
    (tmp_path / "cancer" / "extra").write_text("more")
    candidate = shop.revision("cancer", storage=(tmp_path / "cancer").as_uri(), id="tampered")
    counter.apply("tampered", (candidate, 0))
    failed = counter.wait("tampered", candidate, FAILED)

    assert failed.message.startswith("The model in the artifact store was changed after it had been deployed: ")
    assert failed.message.endswith("Find out who writes to the artifact store, then train again with `/train --force`.")
    assert not counter.folder("tampered", candidate).model.exists()
    counter.serving.remove("staging", "tampered")


def test_a_server_that_takes_more_memory_than_it_may_is_ended_with_words(counter: Counter, shop: Shop) -> None:
    candidate = shop.revision("cancer", memory_bytes=48 * 1024**2)
    counter.apply("large", (candidate, 0))
    failed = counter.wait("large", candidate, FAILED)

    assert failed.message.endswith(", more than its memory limit of 48.0 MiB.")
    counter.serving.remove("staging", "large")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"runtime": "mlflow"}, "The runtime `mlflow` is not known."),
        ({"storage": "file:///nowhere/model"}, "There is no model at file:///nowhere/model any more."),
        ({"sha": "0" * 40}, f"The code of {'0' * 12} could not be fetched from file:"),
        ({"model_path": "../.."}, "The model's path `../..` leads out of the repository."),
        ({"environment": {"requirements": "none.txt"}}, "There is no requirements file `none.txt`"),
        (
            {"environment": {"requirements": "conflicting.txt"}},
            "The requirements cannot be installed (models/cancer/conflicting.txt line 1, `kserve==0.10.0` with kserve",
        ),
        ({"environment": {"python": "3.99"}}, "There is no Python 3.99 for this model:"),
    ],
)
def test_what_can_not_be_prepared_fails_with_the_reason(
    counter: Counter, shop: Shop, changes: dict[str, object], words: str
) -> None:
    candidate = shop.revision("cancer", **changes)
    counter.apply("unprepared", (candidate, 0))
    failed = counter.wait("unprepared", candidate, FAILED)
    counter.serving.remove("staging", "unprepared")
    until(lambda: f"staging/unprepared/{candidate.id}" not in counter.serving._revisions)

    assert failed.message[: len(words)] == words


def test_what_has_served_is_started_again_for_ever_and_each_time_later(own_counter: Counter, shop: Shop) -> None:
    live = shop.revision("cancer", storage="file:///nowhere/model")
    own_counter.serving.start()
    own_counter.apply("cancer", (live, 100))
    until(lambda: own_counter.seen("cancer", live).restarts >= 3)
    revision = own_counter.serving._revisions[f"staging/cancer/{live.id}"]

    assert not revision.given_up
    assert revision._failures >= 3


def test_a_candidate_that_failed_is_tried_again_when_it_is_desired_anew(own_counter: Counter, shop: Shop) -> None:
    candidate = shop.revision("cancer", storage="file:///nowhere/model")
    own_counter.serving.start()
    own_counter.apply("cancer", (candidate, 0))
    own_counter.wait("cancer", candidate, FAILED)
    own_counter.apply("cancer", (candidate, 0))
    same = own_counter.serving._revisions[f"staging/cancer/{candidate.id}"]
    assert same.given_up

    own_counter.restart()
    still = own_counter.wait("cancer", candidate, FAILED)
    assert (still.restarts, still.message[:20]) == (0, "There is no model at")

    own_counter.serving.remove("staging", "cancer")
    until(lambda: not own_counter.serving._revisions)
    own_counter.heard.clear()
    own_counter.apply("cancer", (candidate, 0))
    until(lambda: ("staging", "cancer") in own_counter.heard)


def test_what_is_desired_is_durable_and_what_is_unknown_is_gone(own_counter: Counter, shop: Shop) -> None:
    first, second = shop.revision("cancer", memory_bytes=2**31, cpu=0.5), shop.revision("weights", runtime="python")
    desired = service("cancer", (first, 0), (second, 100))
    own_counter.serving.apply(desired)
    other = Counter(own_counter.home, shop)
    stored = json.loads((own_counter.home / "serving" / "desired" / "staging" / "cancer.json").read_text())

    assert stored == {"apiVersion": "v1", "kind": "List", "items": manifests(desired)}
    assert other.serving.desired("staging", "cancer") == desired
    assert other.serving.services() == [desired]
    assert [one.state for one in other.serving.observe("staging", "cancer").revisions] == [STARTING, STARTING]
    assert other.serving.backends("staging", "cancer") == ()
    assert other.serving.observe("staging", "churn") == ObservedService("staging", "churn")
    assert other.serving.backends("staging", "churn") is None
    assert other.serving.traffic("staging", "churn", "v1") == Traffic()
    other.serving.remove("staging", "cancer")
    assert other.serving.services() == []
    assert Counter(own_counter.home, shop).serving.services() == []


@pytest.mark.parametrize(
    ("environment", "model", "revision"), [("..", "m", "v1"), ("e", "a/b", "v1"), ("e", "m", "../v1"), ("e", "m", "")]
)
def test_names_that_would_be_paths_are_refused(
    own_counter: Counter, shop: Shop, environment: str, model: str, revision: str
) -> None:
    desired = service("m", (shop.revision("cancer", id=revision), 0))
    with pytest.raises(ValueError, match="not names of a service"):
        own_counter.serving.apply(type(desired)(desired.repository, environment, model, desired.shares))
    assert own_counter.serving.services() == []


def test_a_shares_traffic_is_counted_since_it_changed(own_counter: Counter, shop: Shop) -> None:
    live, candidate = shop.revision("cancer"), shop.revision("weights")
    own_counter.apply("cancer", (live, 90), (candidate, 10))
    serving, key = own_counter.serving, f"staging/cancer/{candidate.id}"
    for status, elapsed_s in [(200, 0.010)] * 98 + [(500, 0.010), (None, 9.0)]:
        serving.entered(key)
        serving.left(key, status=status, elapsed_s=elapsed_s)
    counted = serving.traffic("staging", "cancer", candidate.id)
    own_counter.apply("cancer", (live, 90), (candidate, 10))
    unchanged = serving.traffic("staging", "cancer", candidate.id)
    own_counter.apply("cancer", (live, 50), (candidate, 50))

    assert (counted.requests, counted.errors) == (100, 2)
    assert counted.p99_ms == pytest.approx(10.0, rel=0.06)
    assert unchanged == counted
    assert serving.traffic("staging", "cancer", candidate.id) == Traffic()
    serving.entered("staging/cancer/unknown")
    serving.left("staging/cancer/unknown", status=200, elapsed_s=0.1)


def test_serving_is_healthy_while_it_is_supervised(own_counter: Counter) -> None:
    with pytest.raises(TransientError, match="The supervisor of the model servers does not run"):
        own_counter.serving.check_health()
    own_counter.serving.start()
    own_counter.serving.check_health()


def test_the_logs_of_what_has_ended_are_kept_for_a_while(own_counter: Counter, shop: Shop) -> None:
    candidate = shop.revision("cancer", runtime="mlflow")
    own_counter.serving.start()
    own_counter.apply("cancer", (candidate, 0))
    own_counter.wait("cancer", candidate, FAILED)
    folder = own_counter.folder("cancer", candidate)
    while_desired = own_counter.serving.prune(timedelta(0))
    own_counter.serving.remove("staging", "cancer")
    until(lambda: not own_counter.serving._revisions)

    assert while_desired == 0
    assert own_counter.serving.prune(timedelta(days=7)) == 0
    assert "The runtime `mlflow` is not known." in folder.log_tail(1)[0]
    assert own_counter.serving.prune(timedelta(0)) == 1
    assert not folder.path.exists()
