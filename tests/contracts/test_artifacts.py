"""The artifact store, as a folder and as an object store of fsspec."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from bot.artifacts import open_artifacts
from bot.domain.errors import TransientError, UserError
from bot.ports.artifacts import Artifacts

RUN = "run-1a2b"


@pytest.fixture(params=["folder", "object store"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    if request.param == "folder":
        return open_artifacts((tmp_path / "artifacts").as_uri())
    return open_artifacts(f"memory://bucket-{uuid4().hex}/prefix")


@pytest.fixture
def folder(tmp_path: Path) -> Artifacts:
    return open_artifacts((tmp_path / "artifacts").as_uri())


def test_what_was_written_is_read_and_listed_below_its_run(artifacts: Artifacts) -> None:
    artifacts.write(RUN, "result.json", b"{}")
    artifacts.write(RUN, "steps/train.json", b"12345")
    artifacts.write("run-other", "result.json", b"other")

    assert artifacts.read(RUN, "result.json", limit_bytes=100) == b"{}"
    assert artifacts.read(RUN, "steps/train.json", limit_bytes=3) == b"123"
    assert list(artifacts.files(RUN)) == [("result.json", 2), ("steps/train.json", 5)]


def test_a_prefix_is_an_address_below_the_stores_own(artifacts: Artifacts) -> None:
    prefix = artifacts.prefix(RUN)

    assert prefix.endswith("/runs/run-1a2b")
    assert prefix.partition("://")[0] in ("file", "memory")


def test_a_prefix_that_a_pipeline_wrote_to_is_read_back(tmp_path: Path) -> None:
    artifacts = open_artifacts(str(tmp_path / "with space"))
    written_by_pipeline = tmp_path / "with space/runs" / RUN / "result.json"
    written_by_pipeline.parent.mkdir(parents=True)
    written_by_pipeline.write_bytes(b"{}")

    assert artifacts.prefix(RUN) == written_by_pipeline.parent.as_uri()
    assert artifacts.read(RUN, "result.json", limit_bytes=9) == b"{}"


def test_what_is_not_there_reads_as_none_and_lists_as_nothing(artifacts: Artifacts) -> None:
    artifacts.write(RUN, "steps/train.json", b"1")

    assert artifacts.read(RUN, "result.json", limit_bytes=9) is None
    assert artifacts.read(RUN, "steps/train.json/x", limit_bytes=9) is None
    assert artifacts.read("run-none", "result.json", limit_bytes=9) is None
    assert list(artifacts.files("run-none")) == []


def test_a_growing_file_is_read_from_where_the_last_look_ended(artifacts: Artifacts) -> None:
    nothing_yet = artifacts.read_from(RUN, "logs/train.log", offset=0, limit_bytes=9)
    artifacts.write(RUN, "logs/train.log", b"one\n")
    first = artifacts.read_from(RUN, "logs/train.log", offset=0, limit_bytes=9)
    artifacts.write(RUN, "logs/train.log", b"one\ntwo\n")

    assert (nothing_yet, first) == (b"", b"one\n")
    assert artifacts.read_from(RUN, "logs/train.log", offset=4, limit_bytes=2) == b"tw"
    assert artifacts.read_from(RUN, "logs/train.log", offset=8, limit_bytes=9) == b""
    assert artifacts.read_from(RUN, "logs/train.log", offset=99, limit_bytes=9) == b""


@pytest.mark.parametrize(
    "path", ["../other/result.json", "a/../../x", "/etc/passwd", "", ".", "..", "a//b", "a\0b", "a\\b"]
)
def test_a_path_that_leaves_the_prefix_is_refused(artifacts: Artifacts, path: str) -> None:
    with pytest.raises(ValueError, match="not a path below the run's prefix"):
        artifacts.read(RUN, path, limit_bytes=9)
    with pytest.raises(ValueError, match="not a path below the run's prefix"):
        artifacts.read_from(RUN, path, offset=0, limit_bytes=9)
    with pytest.raises(ValueError, match="not a path below the run's prefix"):
        artifacts.write(RUN, path, b"")


@pytest.mark.parametrize("run_id", ["..", "", "a/b", "-x", ".hidden", "a\0"])
def test_what_is_no_runs_id_is_refused(artifacts: Artifacts, run_id: str) -> None:
    with pytest.raises(ValueError, match="not a run's id"):
        artifacts.files(run_id)


def test_a_healthy_store_says_nothing(artifacts: Artifacts) -> None:
    artifacts.check_health()


def test_links_that_a_step_left_lead_nowhere(folder: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/key").write_text("secret")
    folder.write(RUN, "plots/a.png", b"1")
    prefix = tmp_path / "artifacts/runs" / RUN
    (prefix / "link").symlink_to(tmp_path / "secret")
    (prefix / "linked").symlink_to(tmp_path / "secrets")
    os.mkfifo(prefix / "pipe")

    read = [folder.read(RUN, path, limit_bytes=9) for path in ("link", "linked/key", "pipe", "plots")]

    assert read == [None] * 4
    assert list(folder.files(RUN)) == [("plots/a.png", 1)]
    with pytest.raises(TransientError):
        folder.write(RUN, "linked/new", b"x")
    assert not (tmp_path / "secrets/new").exists()


def test_a_reader_sees_the_old_content_or_the_new_one(folder: Artifacts) -> None:
    contents = [bytes([letter]) * 200_000 for letter in b"abcdefgh"]
    folder.write(RUN, "result.json", contents[0])
    seen: set[bytes | None] = set()
    writer = threading.Thread(target=lambda: [folder.write(RUN, "result.json", content) for content in contents])

    writer.start()
    while writer.is_alive():
        seen.add(folder.read(RUN, "result.json", limit_bytes=300_000))
    writer.join()

    assert seen <= set(contents)
    assert list(folder.files(RUN)) == [("result.json", 200_000)]


def test_a_store_that_can_not_be_written_is_tried_again_later(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    artifacts = open_artifacts((tmp_path / "file").as_uri())

    with pytest.raises(TransientError, match="The artifact store can not be written"):
        artifacts.write(RUN, "result.json", b"")
    with pytest.raises(TransientError, match="The artifact store can not be written"):
        artifacts.check_health()


@pytest.mark.parametrize("url", ["relative/path", "", "file://host/x", "nosuchprotocol://bucket"])
def test_an_address_that_can_not_be_a_store_is_refused_with_the_setting_to_change(url: str) -> None:
    with pytest.raises(UserError) as refused:
        open_artifacts(url)

    assert "MLOPS_BOT_ARTIFACTS_URL" in refused.value.fix
