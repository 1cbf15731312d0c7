"""What a step leaves in an object store arrives whole, or the step says why: on a real S3 server."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipelines.steps import object_store
from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.model import fetch_model, keep_model
from pipelines.steps.object_store import ObjectPrefix
from pipelines.steps.prefix import Prefix, open_prefix
from tests.fakes.s3_server import S3Server, client_environ, use


@pytest.fixture
def prefix(s3: S3Server) -> ObjectPrefix:
    return ObjectPrefix(f"{s3.new_url()}/runs/run-1", pauses_s=())


@pytest.fixture(params=["folder", "s3"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Prefix:
    if request.param == "folder":
        return open_prefix((tmp_path / "runs/run-1").as_uri())
    server: S3Server = request.getfixturevalue("s3")
    return open_prefix(f"{server.new_url()}/runs/run-1")


def test_what_is_written_is_read_listed_and_fetched(either: Prefix, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"abc")
    either.write("steps/train.json", b"{}")
    either.write("steps/train.json", b"{1}")
    either.put_file(tmp_path / "source", "model/deep/a")
    either.write("model/b", b"")
    either.write("logs/empty.log", b"")

    assert either.read("steps/train.json") == b"{1}"
    assert either.read("steps/none.json") is None
    assert either.read("steps") is None
    assert either.read("logs/empty.log") == b""
    assert either.list_files("model") == ["b", "deep/a"]
    assert either.get_folder("model", tmp_path / "got") == 2
    assert (tmp_path / "got/deep/a").read_bytes() == b"abc"
    assert either.get_folder("nothing", tmp_path / "none") == 0
    with either.open_file("model/deep/a") as file:
        assert file.read() == b"abc"


def test_a_log_grows_and_is_whole_at_the_end(either: Prefix) -> None:
    log = either.open_log("logs/train.log")
    for number in range(3):
        log.write(f"line {number}\n".encode())
        log.tick(float(number * 100))
    log.close()

    assert either.read("logs/train.log") == b"line 0\nline 1\nline 2\n"


def test_a_model_of_many_parts_comes_back_as_it_was(prefix: ObjectPrefix, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights.bin").write_bytes(os.urandom(1024) * 20_000)  # three parts
    (model / "config.json").write_text("{}")

    kept = keep_model(model, prefix.put_file)
    found = fetch_model(prefix.address, kept["model_digest"], tmp_path / "fetched")

    assert found == kept
    assert prefix._fs.info(prefix._full("model/weights.bin"))["ETag"].strip('"').endswith("-3")


def test_an_object_that_is_not_what_was_sent_is_sent_again_and_then_said(
    prefix: ObjectPrefix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"what was meant")
    sent: list[bytes] = []

    def damaged(_source: Path, key: str) -> None:
        sent.append(b"what was moved" if len(sent) < 2 else source.read_bytes())
        prefix._fs.pipe_file(key, sent[-1])

    monkeypatch.setattr(prefix, "_upload", damaged)
    prefix._pauses_s = (0.0,)
    with pytest.raises(StepFailed, match="does not hold what was uploaded") as failed:
        prefix.put_file(source, "model/a")
    prefix.put_file(source, "model/a")

    assert failed.value.kind is FailureKind.UNREACHABLE
    assert (len(sent), prefix.read("model/a")) == (3, b"what was meant")


def test_an_object_whose_tag_is_no_digest_of_its_content_is_read_back(
    prefix: ObjectPrefix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "_etags", lambda _source: ())  # as where objects are encrypted
    (tmp_path / "source").write_bytes(b"abc")

    prefix.put_file(tmp_path / "source", "model/a")

    assert prefix.read("model/a") == b"abc"


def test_wrong_credentials_end_the_step_at_once_and_are_named(
    s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, s3_server.environ(secret="wrong"))

    with pytest.raises(
        StepFailed, match=r"The artifact store s3://artifacts/.* can not be used: .*signature"
    ) as failed:
        ObjectPrefix(s3_server.new_url()).write("result.json", b"")

    assert (failed.value.kind, "/retry" in failed.value.fix) == (FailureKind.UNREACHABLE, True)


def test_a_bucket_that_is_gone_is_not_taken_for_an_empty_one(s3: S3Server, tmp_path: Path) -> None:
    prefix = ObjectPrefix("s3://no-such-bucket/runs/run-1")

    for do in (lambda: prefix.read("a"), lambda: prefix.write("a", b""), lambda: prefix.get_folder("a", tmp_path)):
        with pytest.raises(StepFailed, match="s3://no-such-bucket/runs/run-1 can not be used"):
            do()


def test_a_store_that_comes_back_in_time_is_waited_for(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url = s3.new_url()
    with gateway(s3.port) as (endpoint, refused, open_):
        use(monkeypatch, {**s3.environ(), "AWS_ENDPOINT_URL": endpoint, "AWS_MAX_ATTEMPTS": "1"})
        prefix = ObjectPrefix(url, pauses_s=(0.05,) * 200)
        writer = threading.Thread(target=prefix.write, args=("result.json", b"{}"))
        writer.start()
        assert refused.wait(30)
        open_.set()
        writer.join(30)

        assert prefix.read("result.json") == b"{}"


@contextmanager
def gateway(port: int) -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """Hangs up until it is opened, and leads to the server then."""
    refused, open_ = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                if not open_.is_set():
                    client.close()
                    refused.set()
                    continue
                server = socket.create_connection(("127.0.0.1", port))
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(one, other), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", refused, open_
        listening.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while chunk := source.recv(65_536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_a_store_that_stays_away_ends_the_step_and_is_not_waited_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    environ: dict[str, Any] = {**client_environ(f"http://127.0.0.1:{port}"), "AWS_MAX_ATTEMPTS": "1"}
    use(monkeypatch, {**environ, "AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "a-secret"})
    prefix = ObjectPrefix("s3://artifacts/runs/run-1", pauses_s=(0.01, 0.01, 0.01))

    with pytest.raises(StepFailed, match="can not be used: Could not connect"):
        prefix.write("result.json", b"")

    assert prefix._pauses_s == (0.01,)


def test_the_digest_of_parts_is_amazons(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"a" * object_store.PART_BYTES + b"b")
    parts = (b"a" * object_store.PART_BYTES, b"b")

    expected = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()

    assert object_store._etags(file) == (hashlib.md5(b"".join(parts)).hexdigest(), f"{expected}-2")
