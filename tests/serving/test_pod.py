"""A model server in a pod of KServe: the real program, as the container of the InferenceService starts it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bot.domain.serving import ServedRevision
from bot.serving.kserve_predictor import Setup, predictor
from tests.serving.kit import DEADLINE_S, Shop, infer, tensor, until, uv_environment


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def pod(home: Path, shop: Shop, revision: ServedRevision, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Started as KServe does: the command and variables of the predictor, and the model in a folder."""
    spec = predictor(
        ServedRevision(**{**_fields(revision), "storage": "s3://bucket/model"}), "offsets", Setup("models", "image")
    )
    [container] = spec["containers"]
    told = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    port = free_port()
    (home / "serving").mkdir()
    (home / "serving" / "cache").symlink_to(shop.cache)  # so that one environment is enough for all tests
    process = subprocess.Popen(
        [sys.executable, *container["command"][1:]],
        env={**uv_environment(), **told, "HOME": str(home), "PORT": str(port), "MLOPS_POD_MODEL": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DEADLINE_S)


def _fields(revision: ServedRevision) -> dict[str, Any]:
    return {name: getattr(revision, name) for name in ServedRevision.__slots__}


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/v2/models/offsets/ready", timeout=DEADLINE_S).status_code == 200
    except httpx.TransportError:
        return False


def test_a_models_own_code_serves_in_a_pod_and_ends_when_it_is_told_to(tmp_path: Path, shop: Shop) -> None:
    own = shop.revision("weights", runtime="python")

    with pod(tmp_path, shop, own, shop.models / "weights") as (process, address):
        until(lambda: is_ready(address) or process.poll() is not None, "it is ready")
        answer = infer(address, "offsets", tensor([2.0, 3.0], [1, 2]))
        process.send_signal(signal.SIGTERM)
        ended = process.wait(DEADLINE_S)

    assert answer.json()["outputs"][0]["data"] == [33]
    assert ended in (0, -signal.SIGTERM)


def test_a_model_that_is_not_the_deployed_one_is_not_served(tmp_path: Path, shop: Shop) -> None:
    own = shop.revision("weights", runtime="python")

    with pod(tmp_path, shop, own, shop.models / "garbage") as (process, _address):
        _, words = process.communicate(timeout=DEADLINE_S)

    assert process.returncode == 1
    assert f"and must be {own.digest}. It is not served." in words
