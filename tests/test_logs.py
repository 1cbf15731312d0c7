"""A log line is an event with its facts; no secret is in it, in whatever shape it was given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bot import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_line_is_an_event_with_facts(capsys: pytest.CaptureFixture[str]):
    logs.configure(json_lines=True)

    structlog.get_logger().info("run_started", run_id="run-1", places=2)

    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "run_started", "level": "info", "run_id": "run-1", "places": 2}


@pytest.mark.parametrize("json_lines", [True, False])
def test_a_secret_is_masked_in_whatever_shape_it_is_logged(json_lines: bool, capsys: pytest.CaptureFixture[str]):
    logs.configure(json_lines=json_lines, secrets=["s3cr3t-value", ""])
    log = structlog.get_logger()

    log.info("x s3cr3t-value", text="s3cr3t-value", nested={"a": ["s3cr3t-value"]}, path=Path("/s3cr3t-value"))
    log.info("y", error=ValueError("s3cr3t-value"), body=b"s3cr3t-value", several=("s3cr3t-value", 1, None))
    try:
        int("s3cr3t-value")
    except ValueError:
        log.exception("z")

    written = capsys.readouterr().err
    assert "s3cr3t-value" not in written
    assert written.count("***") >= 8


def test_debug_is_not_written_unless_asked_for(capsys: pytest.CaptureFixture[str]):
    logs.configure(json_lines=False)

    structlog.get_logger().debug("row_changed_meanwhile")

    assert capsys.readouterr().err == ""


def test_invariant_9_a_secret_that_became_known_later_is_masked_from_then_on(capsys: pytest.CaptureFixture[str]):
    logs.configure(json_lines=True)

    logs.mask_also(["value-of-a-models-secret", ""])
    structlog.get_logger().error("run_failed", reason="401 for value-of-a-models-secret")

    entry = json.loads(capsys.readouterr().err)
    assert entry["reason"] == "401 for ***"
