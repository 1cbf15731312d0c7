"""The artifact store: as a folder, as an object store of fsspec, and in a real S3 server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from bot.artifacts import open_artifacts, remote
from bot.artifacts.remote import RemoteArtifacts
from bot.domain.errors import TransientError, UserError
from bot.ports.artifacts import Artifacts
from tests.fakes.s3_server import S3Server, client_environ, use

RUN = "run-1a2b"


@pytest.fixture(params=["folder", "object store", "s3"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    if request.param == "folder":
        return open_artifacts((tmp_path / "artifacts").as_uri())
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        return open_artifacts(server.new_url())
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
    assert prefix.partition("://")[0] in ("file", "memory", "s3")


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


def test_what_a_run_left_is_removed_and_nothing_else(artifacts: Artifacts) -> None:
    for run_id in (RUN, "run-1a2", "run-other"):
        artifacts.write(run_id, "result.json", b"{}")
        artifacts.write(run_id, "model/deep/model.bin", b"12345")

    before = list(artifacts.run_ids())
    freed = artifacts.remove(RUN)

    assert (before, freed) == (["run-1a2", "run-1a2b", "run-other"], 7)
    assert [run_id for run_id in artifacts.run_ids() if artifacts.files(run_id)] == ["run-1a2", "run-other"]
    assert artifacts.remove(RUN) == 0
    assert artifacts.read("run-other", "model/deep/model.bin", limit_bytes=9) == b"12345"


def test_a_store_in_which_no_run_left_anything_lists_none(artifacts: Artifacts) -> None:
    assert list(artifacts.run_ids()) == []


def test_an_empty_file_is_read_as_such(artifacts: Artifacts) -> None:
    artifacts.write(RUN, "logs/train.log", b"")

    assert artifacts.read(RUN, "logs/train.log", limit_bytes=9) == b""
    assert artifacts.read_from(RUN, "logs/train.log", offset=0, limit_bytes=9) == b""


def test_the_doctors_file_is_gone_when_it_has_looked(artifacts: Artifacts) -> None:
    words = artifacts.check_access()

    assert "can be written" in words
    assert list(artifacts.run_ids()) == []


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


def test_a_run_with_more_files_than_an_answer_of_s3_lists_is_listed_and_removed_whole(s3: S3Server) -> None:
    artifacts = open_artifacts(s3.new_url())
    assert isinstance(artifacts, RemoteArtifacts)
    run_prefix = artifacts.prefix(RUN)
    artifacts._files.pipe({f"{run_prefix}/plots/{number:04}.csv": b"12" for number in range(1001)})

    found = artifacts.files(RUN)
    freed = artifacts.remove(RUN)

    assert (len(found), found[1000], freed) == (1001, ("plots/1000.csv", 2), 2002)
    assert list(artifacts.files(RUN)) == []


@pytest.mark.parametrize(
    ("user", "secret", "words"),
    [
        ("bot", "wrong", "can not be listed: it refuses the bot's credentials, or they lack this permission"),
        ("nobody", None, "can not be listed: it refuses the bot's credentials, or they lack this permission"),
        ("blind", None, "can not be listed: it refuses the bot's credentials, or they lack this permission"),
    ],
)
def test_wrong_credentials_are_said_to_be_wrong(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, user: str, secret: str | None, words: str
) -> None:
    use(monkeypatch, s3_server.environ(user, secret=secret))
    artifacts = open_artifacts(s3_server.new_url())

    with pytest.raises(TransientError, match="The artifact store s3://artifacts/") as refused:
        artifacts.check_health()

    assert words in refused.value.problem
    assert "secret" not in refused.value.problem


def test_a_store_without_any_credentials_says_so(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, client_environ(s3_server.endpoint))
    artifacts = open_artifacts(s3_server.new_url())

    for look in (artifacts.check_health, partial(artifacts.read, RUN, "result.json", limit_bytes=9)):
        with pytest.raises(TransientError, match="Unable to locate credentials"):
            look()


@pytest.mark.parametrize(("user", "lacks"), [("reader", "can not be written to"), ("blind", "can not be listed")])
def test_the_doctor_names_the_permission_that_is_missing_and_leaves_nothing_behind(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, user: str, lacks: str
) -> None:
    url = s3_server.new_url()
    use(monkeypatch, s3_server.environ(user))
    with pytest.raises(TransientError, match=lacks):
        open_artifacts(url).check_access()

    use(monkeypatch, s3_server.environ())
    artifacts = open_artifacts(url)
    assert isinstance(artifacts, RemoteArtifacts)
    assert [name for name in artifacts._files.find(artifacts._root) if "/.doctor/" in name] == []


def test_a_bucket_that_does_not_exist_is_not_taken_for_an_empty_one(s3: S3Server) -> None:
    artifacts = open_artifacts("s3://no-such-bucket/prefix")

    for look in (
        artifacts.check_health,
        artifacts.check_access,
        artifacts.run_ids,
        partial(artifacts.read, RUN, "result.json", limit_bytes=9),
        partial(artifacts.write, RUN, "result.json", b""),
    ):
        with pytest.raises(TransientError, match="s3://no-such-bucket/prefix can not be"):
            look()


def test_a_store_that_is_down_or_silent_is_tried_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "CALL_TIMEOUT_S", 2.0)
    with socket.socket() as silent:  # accepts and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        environ = client_environ(f"http://127.0.0.1:{silent.getsockname()[1]}")
        use(monkeypatch, {**environ, "AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "a-secret"})
        artifacts = open_artifacts("s3://artifacts/prefix")
        with pytest.raises(TransientError, match="did not answer in time"):
            artifacts.read(RUN, "result.json", limit_bytes=9)

    with pytest.raises(TransientError, match="The artifact store s3://artifacts/prefix can not be"):
        artifacts.files(RUN)
    with pytest.raises(TransientError, match="The artifact store s3://artifacts/prefix can not be"):
        artifacts.write(RUN, "result.json", b"")


def test_a_folder_as_the_store_needs_no_client_of_object_stores() -> None:
    program = (
        "import sys\n"
        "import bot.wiring.whole\n"
        "from bot.artifacts import open_artifacts\n"
        "open_artifacts('file:///nowhere').run_ids()\n"
        "print(sorted({'fsspec', 's3fs', 'botocore'} & sys.modules.keys()))\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
