"""The exit handler: result.json however the run ended, and a word to the bot."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bot.domain.result import Result
from tests.pipelines.kit import Workshop, failure_of


@contextmanager
def listening_bot(answers: list[int]) -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    """Gives the address, and what was posted there: path, authorization, body."""
    posted: list[tuple[str, str, bytes]] = []

    class Bot(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, self.headers["Authorization"], body))
            self.send_response(answers[len(posted) - 1])
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base class's name

    with HTTPServer(("127.0.0.1", 0), Bot) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/callbacks/runs/run-1", posted
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("answers", "tries"), [([202], 1), ([503, 500, 202], 3), ([401], 1)])
def test_the_bot_is_told_with_the_token_of_this_run(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, answers: list[int], tries: int
):
    monkeypatch.setenv("MLOPS_BOT_CALLBACK_TOKEN", "token-of-run-1")
    shop.write()

    with listening_bot(answers) as (url, posted):
        result = shop.run(callback_url=url)

    assert result.state == "succeeded"
    assert posted == [("/callbacks/runs/run-1", "Bearer token-of-run-1", b'{"run_id": "run-1"}')] * tries


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "file:///etc/passwd", "http://[broken"])
def test_a_bot_that_can_not_be_told_changes_nothing(shop: Workshop, url: str):
    shop.write()

    assert shop.run(callback_url=url).state == "succeeded"


def test_a_run_that_the_engine_canceled_is_told_so(shop: Workshop):
    (shop.prefix / "steps").mkdir(parents=True)
    (shop.folder / "artifacts").mkdir()
    running = {"name": "fetch", "state": "running", "started_at": "2026-01-01T00:00:00+00:00", "ended_at": None}
    (shop.prefix / "steps" / "fetch.json").write_text(json.dumps(running))

    result = shop.report(shop.arguments, "CANCELLED")

    assert result.state == "canceled"
    assert (failure_of(result).kind, failure_of(result).message) == ("canceled", "The run was canceled.")


TOO_LONG = "The run took longer than the 60 s that it may take."
WITHIN_A_STEP = {"name": "fetch", "state": "canceled", "started_at": "2026-01-01T00:00:00+00:00", "ended_at": None}


def stopped(shop: Workshop, stop: object, *, record: object = None) -> Result:
    """The report of a run that the engine ended, as the local engine tells of it."""
    for folder in (shop.prefix / "records", shop.folder / "artifacts", shop.folder / "work"):
        folder.mkdir(parents=True)
    (shop.folder / "work" / "stop.json").write_text(stop if isinstance(stop, str) else json.dumps(stop))
    if record:
        (shop.prefix / "records" / "fetch.json").write_text(json.dumps(record))
    return shop.report(shop.arguments, "FAILED", error="Task failed")


@pytest.mark.parametrize("kind", ["timeout", "lost"])
@pytest.mark.parametrize("was_in_a_step", [True, False])
def test_a_run_that_the_engine_stopped_tells_why(shop: Workshop, kind: str, *, was_in_a_step: bool):
    canceled = {"step": "fetch", "kind": "canceled", "message": "The run was canceled.", "fix": "", "frames": []}
    record = {**WITHIN_A_STEP, "failure": canceled} if was_in_a_step else None

    result = stopped(shop, {"state": "failed", "kind": kind, "reason": TOO_LONG}, record=record)

    failure = failure_of(result)
    assert (result.state, failure.step, failure.kind, failure.message) == ("failed", "fetch", kind, TOO_LONG)
    assert failure.fix == "Write `/retry` to run it again."


def test_a_run_that_is_canceled_between_two_steps_is_canceled_and_not_lost(shop: Workshop):
    result = stopped(shop, {"state": "canceled", "kind": "canceled", "reason": ""})

    failure = failure_of(result)
    assert (result.state, failure.kind, failure.message) == ("canceled", "canceled", "The run was canceled.")


def test_what_failed_by_itself_before_the_stop_is_what_is_told(shop: Workshop):
    own = {"step": "fetch", "kind": "data", "message": "There is no data `x.csv`.", "fix": "", "frames": []}

    result = stopped(shop, {"kind": "timeout", "reason": TOO_LONG}, record={**WITHIN_A_STEP, "failure": own})

    assert (failure_of(result).kind, failure_of(result).message) == ("data", "There is no data `x.csv`.")


@pytest.mark.parametrize(
    "stop",
    ["", "not JSON", "[" * 10_001, [], {"kind": "x", "reason": "y"}, {"kind": "timeout", "reason": ""}, {"kind": []}],
)
def test_a_stop_that_can_not_be_read_is_none(shop: Workshop, stop: object):
    assert failure_of(stopped(shop, stop)).kind == "lost"


def test_a_stop_does_not_change_a_run_that_succeeded(shop: Workshop):
    shop.write()
    (shop.folder / "work").mkdir()
    (shop.folder / "work" / "stop.json").write_text(json.dumps({"kind": "timeout", "reason": TOO_LONG}))

    assert shop.run().state == "succeeded"


@pytest.mark.parametrize("content", [None, "", "not JSON", "[]", '{"name": 1}'])
def test_a_step_that_left_no_word_is_lost_and_the_engines_reason_is_told(shop: Workshop, content: str | None):
    (shop.prefix / "records").mkdir(parents=True)
    (shop.folder / "artifacts").mkdir()
    if content is not None:
        (shop.prefix / "records" / "fetch.json").write_text(content)

    result = shop.report(shop.arguments, "FAILED", error="image could not be pulled")

    failure = failure_of(result)
    assert (failure.step, failure.kind) == ("fetch", "lost")
    assert failure.message == "The step `fetch` went away without a word. The engine says: image could not be pulled"
    assert [(step.name, step.state) for step in result.steps] == [
        ("fetch", "skipped"),
        ("train", "skipped"),
        ("evaluate", "skipped"),
        ("report", "succeeded"),
    ]


def test_the_summary_for_kubeflow_escapes_what_is_from_outside(shop: Workshop):
    shop.write(train="raise ValueError('<script>alert(1)</script>')\n")
    shop.run()

    page = (shop.folder / "artifacts" / "summary.html").read_text()

    assert "<script>" not in page
    assert "ValueError: &lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_an_object_store_serves_as_well_as_a_folder(shop: Workshop):
    """fsspec's memory file system stands for S3: objects appear whole, and logs cannot be appended to."""
    import fsspec

    shop.write(train="print('hello')\n" + "import os\nopen(os.environ['MLOPS_MODEL_DIR'] + '/m', 'w').write('m')\n")
    store = fsspec.filesystem("memory")
    store.store.clear()
    (shop.prefix).mkdir(parents=True)

    with pytest.raises(FileNotFoundError):
        shop.run(run_prefix="memory://runs/run-1")

    result = json.loads(store.cat("/runs/run-1/result.json"))
    assert (result["state"], result["metrics"]["accuracy"]["value"]) == ("succeeded", 0.97)
    assert store.cat("/runs/run-1/logs/train.log").decode().splitlines()[-1] == "hello"
    assert store.cat("/runs/run-1/model/m") == b"m"
