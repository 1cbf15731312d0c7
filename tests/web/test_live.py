"""Pages that are open hear what changes, once, and go on where they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import unescape
from urllib.parse import parse_qs

import httpx
import pytest

from bot.domain.run import EngineRun, EngineState, Phase, StepProgress
from bot.web.live import changed, digest
from bot.web.log_text import BEHIND_BYTES, LONGEST_LINE_BYTES, TAIL_BYTES, LogReader, readable, whole_lines
from tests.web.kit import Workplace, served
from tests.web.seed import NOW, REPOSITORY, a_result

CHANGE = "/repositories/plain/models/changes/1"


@dataclass(frozen=True)
class Event:
    name: str
    cursor: str
    html: str


@contextmanager
def listening(
    address: str, place: Workplace, page: str, *, last_event_id: str | None = None
) -> Iterator[Iterator[Event]]:
    """Opens a page and then its events, as a browser does."""
    headers = dict(place.bearer)
    with httpx.Client(base_url=address, headers=headers, timeout=20) as http:
        found = re.search(r'sse-connect="([^"]+)"', http.get(page).text)
        assert found is not None
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        with http.stream("GET", unescape(found[1]), headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield _events(answer.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Event]:
    name, cursor, html = "", "", []
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "id":
            cursor = value
        elif field == "data":
            html.append(value)
        elif not line and name:
            yield Event(name, cursor, "\n".join(html))
            name, html = "", []


def append(place: Workplace, path: str, text: bytes) -> None:
    """As a step does, which keeps its log open."""
    with (place.home / "artifacts" / "runs" / path).open("ab") as file:
        file.write(text)


def end_run(place: Workplace, run_id: str) -> None:
    run = place.store.run(run_id)
    assert run is not None
    done = replace(run, phase=Phase.SUCCEEDED, ended_at=NOW, result=a_result(run_id, plots=()))
    with place.store.transaction() as tx:
        tx.save_run(done)


def test_a_runs_page_hears_of_new_log_lines_steps_and_the_end(day: Workplace) -> None:
    steps = (StepProgress("fetch", "succeeded", NOW, NOW), StepProgress("train", "succeeded", NOW, NOW),
             StepProgress("evaluate", "running", NOW))  # fmt: skip
    with served(day) as address, listening(address, day, "/runs/run-now") as events:
        append(day, "run-now/logs/train.log", b"tree 3 of 400 <b>\nunfinished")
        first = next(events)
        day.engine.runs["run-now"] = EngineRun("run-now", EngineState.RUNNING, steps)
        second = next(events)
        append(day, "run-now/logs/train.log", b" line")
        end_run(day, "run-now")
        rest = list(events)

    assert (first.name, first.html) == ("log-train", _piece(day, "tree 3 of 400 &lt;b&gt;\n", less=15))
    assert second.name == "steps"
    assert 'data-step="evaluate" data-look="busy"' in second.html
    assert [event.name for event in rest] == ["head", "steps", "outcome", "lineage", "files", "log-train", "done"]
    assert "unfinished line</span>" in rest[-2].html


def _piece(place: Workplace, text: str, *, less: int = 0) -> str:
    size = dict(place.artifacts.files("run-now"))["logs/train.log"]
    return f'<span data-end="{size - less}">{text}</span>'


def test_a_browser_that_reconnects_hears_only_what_it_missed(day: Workplace) -> None:
    with served(day) as address:
        with listening(address, day, "/runs/run-now") as events:
            append(day, "run-now/logs/train.log", b"tree 3 of 400\n")
            seen = next(events)
        append(day, "run-now/logs/train.log", b"tree 4 of 400\n")
        with listening(address, day, "/runs/run-now", last_event_id=seen.cursor) as events:
            missed = next(events)

    assert (missed.name, missed.html) == ("log-train", _piece(day, "tree 4 of 400\n"))


def test_a_changes_page_hears_of_comments_runs_and_checks(day: Workplace) -> None:
    with served(day) as address, listening(address, day, CHANGE) as events:
        day.records.add_post(REPOSITORY.key, 1, author="bob", body="Looks *good*", is_bot=False, now=NOW)
        event = next(events)

    assert event.name == "timeline"
    assert "Looks <em>good</em>" in event.html
    assert set(parse_qs(event.cursor)) == {"head", "checks", "runs", "deployments", "timeline"}


def test_open_pages_do_not_keep_the_server_from_stopping(day: Workplace) -> None:
    with served(day) as address:
        events = [listening(address, day, page) for page in ("/runs/run-now", CHANGE, "/")]
        opened = [one.__enter__() for one in events]
    # the server has stopped, and each stream has come to its end
    assert [list(one) for one in opened] == [[], [], []]
    for one in events:
        one.__exit__(None, None, None)


@pytest.mark.parametrize("asked", ["", "log-train=x&steps=%00", "log-train=999999999999999999999", "&&&=", "é" * 5000])
def test_a_cursor_from_outside_does_no_harm(day: Workplace, asked: str) -> None:
    end_run(day, "run-now")
    with served(day) as address:
        answer = httpx.get(f"{address}/runs/run-now/events", params={"cursor": asked}, headers=day.bearer, timeout=20)

    assert answer.status_code == 200
    assert answer.text.endswith("event: done\nid: " + answer.text.rpartition("id: ")[2])


def test_passing_time_alone_is_no_news() -> None:
    first = '<p><time data-ticks data-ago datetime="x" title="y">9 s ago</time> <b>1</b></p>'
    later = first.replace("9 s ago", "10 s ago")

    assert changed({"head": later}, {"head": digest(first)}) == ()
    assert [update.name for update in changed({"head": first.replace("<b>1", "<b>2")}, {"head": digest(first)})] == [
        "head"
    ]


def test_a_line_is_shown_when_it_is_whole_and_an_endless_one_in_pieces() -> None:
    assert whole_lines(b"one\ntwo\nthr") == b"one\ntwo\n"
    assert whole_lines(b"thr") == b""
    assert whole_lines(b"x" * LONGEST_LINE_BYTES) == b"x" * LONGEST_LINE_BYTES


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"plain\n", "plain\n"),
        (b"\x1b[1;32mgreen\x1b[0m \x1b]0;title\x07x\n", "green x\n"),
        (b"10%\r20%\r30%\nnext\r\n", "30%\nnext\n"),
        (b"done\r", "done"),
        (b"\xff\xfe \x00 \x08", "�� � �"),
        ("ünïcödé ✓\n".encode(), "ünïcödé ✓\n"),
    ],
)
def test_a_log_reads_as_a_terminal_would_show_it_in_the_end(raw: bytes, shown: str) -> None:
    assert readable(raw) == shown


def test_a_log_hides_secrets(place: Workplace) -> None:
    place.write("run-1", "logs/train.log", f"token {place.token} and ghp_{'a' * 36}\n".encode())
    reader = LogReader(place.artifacts, secrets=place.settings.secret_values)

    assert reader.tail("run-1", "train", size=200, ended=True).text == "token *** and ***\n"


def test_a_long_log_opens_at_its_last_lines(place: Workplace) -> None:
    lines = b"".join(b"line %06d\n" % number for number in range(20_000))
    place.write("run-1", "logs/train.log", lines)
    piece = LogReader(place.artifacts, secrets=()).tail("run-1", "train", size=len(lines), ended=False)

    assert piece.text.startswith("line ")
    assert piece.text.endswith("line 019999\n")
    assert TAIL_BYTES - 20 < len(piece.text) <= TAIL_BYTES
    assert (piece.end, piece.skipped) == (len(lines), len(lines) - len(piece.text))


def test_a_reader_that_is_far_behind_skips_to_the_end(place: Workplace) -> None:
    lines = b"0123456789\n" * (BEHIND_BYTES // 5)
    place.write("run-1", "logs/train.log", lines)
    reader = LogReader(place.artifacts, secrets=())

    near = reader.after("run-1", "train", offset=0, size=None, ended=False)
    far = reader.after("run-1", "train", offset=near.end, size=len(lines), ended=False)
    assert near.skipped == 0
    assert far.end == len(lines)
    assert far.skipped == len(lines) - near.end - len(far.text)
