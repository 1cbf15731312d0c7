"""What a model server answers: kserve's own, in the environment of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.serving.kit import Counter, Shop, infer, tensor


@pytest.fixture(scope="module")
def address(counter: Counter, shop: Shop) -> str:
    return counter.seen("cancer", shop.revision("cancer")).address


def test_a_version_says_over_both_protocols_what_it_said_in_evaluation(address: str, shop: Shop) -> None:
    rows, expected = shop.golden["inputs"], shop.golden["predictions"]
    flat = [value for row in rows for value in row]

    answer = infer(address, "cancer", tensor(flat, [len(rows), 30])).json()
    nested = infer(address, "cancer", tensor(rows, [len(rows), 30], "FP32")).json()
    older = httpx.post(f"{address}/v1/models/cancer:predict", json={"instances": rows}).json()

    assert set(expected) == {0, 1}
    assert answer["model_name"] == "cancer"
    assert answer["model_version"] == "v1.0.0"
    assert answer["outputs"] == [
        {"name": "predict", "shape": [len(rows)], "datatype": "INT64", "parameters": None, "data": expected}
    ]
    assert nested["outputs"][0]["data"] == expected
    assert older == {"predictions": expected}


def test_it_tells_its_readiness_and_what_it_takes(address: str) -> None:
    def ask(path: str) -> Any:
        return httpx.get(f"{address}{path}").json()

    assert ask("/v2/health/ready") == {"ready": True}
    assert ask("/v2/models/cancer/ready") == {"name": "cancer", "ready": True}
    assert ask("/v2/models/cancer")["inputs"] == [{"name": "input-0", "datatype": "FP64", "shape": [-1, 30]}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (tensor([1.0] * 30, [1, 29]), "Input `rows` has 30 values, which do not fill its shape [1, 29]."),
        (tensor([1.0] * 30, [-1, 30]), "Input `rows` has 30 values, which do not fill its shape [-1, 30]."),
        (tensor([1.0] * 29, [1, 29]), "The model takes 30 values a row, and was given 29."),
        (tensor([1.0] * 30, [30]), "The model takes rows: a tensor of the shape [n, 30], not [30]."),
        (tensor([1.5] * 30, [1, 30], "INT64"), "Input `rows` is said to be INT64, and has values that are not whole."),
        (tensor([300] * 30, [1, 30], "UINT8"), "Input `rows` has values that UINT8 can not hold."),
        (tensor(["a"] * 30, [1, 30]), "Input `rows` is said to be FP64, and has values that are not."),
        (tensor([[1.0], [1.0, 2.0]], [1, 30]), "Input `rows` has rows of different lengths."),
        (tensor([1.0] * 30, [1, 30], "FP128"), "Input `rows` has the datatype `FP128`; known are BOOL, UINT8,"),
        (tensor([None] * 30, [1, 30]), "Input `rows` is said to be FP64, and has values that are not."),
        ({"inputs": []}, "There is no input."),
        ({"inputs": 1}, "This is not a request of the protocol: "),
    ],
)
def test_a_request_that_makes_no_sense_is_answered_with_400_and_says_why(
    address: str, body: object, words: str
) -> None:
    answer = infer(address, "cancer", body)

    assert (answer.status_code, answer.json()["error"][: len(words)]) == (400, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"instances": [[1, 2], [3]]}', "The instances have different shapes."),
        (b'{"instances": [{"a": 1}, {"b": 1}]}', "All instances must have the same names."),
        (b'{"rows": []}', 'Send {"instances": [[…], …]} as application/json:'),
        (b"[1", "Unrecognized request format:"),
    ],
)
def test_so_is_one_of_the_older_protocol(address: str, body: bytes, words: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{address}/v1/models/cancer:predict", content=body, headers=headers)

    assert (answer.status_code, answer.json()["error"][: len(words)]) == (400, words)


def test_who_may_predict_may_neither_load_nor_unload(address: str) -> None:
    refused = httpx.post(f"{address}/v2/repository/models/cancer/unload")

    assert (refused.status_code, refused.json()["error"]) == (501, "Versions are deployed, not unloaded.")
    assert httpx.post(f"{address}/v2/repository/models/other/load").status_code >= 400
    assert httpx.get(f"{address}/v2/models/cancer/ready").json() == {"name": "cancer", "ready": True}


def test_it_listens_on_this_machine_alone_and_knows_nothing_of_the_bots_environment(
    counter: Counter, shop: Shop, address: str
) -> None:
    server = psutil.Process(counter.server_pid("cancer", shop.revision("cancer")))
    listening = {one.laddr for one in server.net_connections() if one.status == psutil.CONN_LISTEN}
    own_folder = counter.folder("cancer", shop.revision("cancer")).path

    assert [f"http://{place.ip}:{place.port}" for place in listening] == [address]
    names = set(server.environ()) - {"LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    assert names == {
        "PATH", "VIRTUAL_ENV", "HOME", "TMPDIR", "MLOPS_MODEL_DIR", "MLOPS_CODE_DIR", "PYTHONUNBUFFERED", "PYTHONUTF8",
    }  # fmt: skip
    assert Path(server.environ()["HOME"]).is_relative_to(own_folder)
    assert counter.lent.count(shop.code) >= 1
    assert not (own_folder / "git-credentials.json").exists()
