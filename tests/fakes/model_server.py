"""A model server that speaks just so much of the Open Inference Protocol v2 as a smoke test needs, and strictly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.json_server import serving_json


def sums(rows: list[list[Any]]) -> list[Any]:
    return [sum(row) for row in rows]


@dataclass
class ModelServer:
    """`predict` takes rows and gives a value, or a row of values, for each. `unready` requests are answered 503."""

    model: str
    predict: Callable[[list[list[Any]]], list[Any]] = sums
    unready: int = 0
    answer: tuple[int, Any] | None = None  # to an inference, whatever was asked
    address: str = ""
    asked: list[str] = field(default_factory=list)

    def respond(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.unready > 0:
            self.unready -= 1
            return 503, {"error": "not ready"}
        if (method, path) == ("GET", "/v2/health/ready"):
            return 200, {"ready": True}
        if (method, path) == ("GET", f"/v2/models/{self.model}"):
            return 200, {"name": self.model, "platform": "", "inputs": [], "outputs": []}
        if (method, path) != ("POST", f"/v2/models/{self.model}/infer"):
            return 404, {"error": f"Model with name {path} does not exist."}
        return self.answer or self._infer(body)

    def _infer(self, body: Any) -> tuple[int, Any]:
        try:
            rows = read_tensor(body)
        except (AssertionError, ValueError, KeyError, TypeError) as error:
            return 400, {"error": f"not an inference request: {error!r}"}
        data = self.predict(rows)
        shape = [len(data), *([len(data[0])] if isinstance(data[0], list) else [])]
        datatype = "BYTES" if isinstance(data[0], str) else "FP64"
        flat = [value for row in data for value in row] if len(shape) > 1 else data
        output = {"name": "output-0", "shape": shape, "datatype": datatype, "data": flat}
        return 200, {"model_name": self.model, "id": "1", "outputs": [output]}


def read_tensor(body: Any) -> list[list[Any]]:
    assert set(body) == {"inputs"}
    (tensor,) = body["inputs"]
    assert set(tensor) == {"name", "shape", "datatype", "data"}
    rows, columns = tensor["shape"]
    kind = {"FP64": float, "BYTES": str}[tensor["datatype"]]
    data = tensor["data"]
    assert tensor["name"] == "input-0"
    assert len(data) == rows * columns
    assert all(type(value) is kind for value in data)
    return [data[at : at + columns] for at in range(0, len(data), columns)]


@contextmanager
def model_server(model: str) -> Iterator[ModelServer]:
    server = ModelServer(model)
    with serving_json(server.respond) as server.address:
        yield server
