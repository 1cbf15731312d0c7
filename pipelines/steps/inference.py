"""The Open Inference Protocol v2, as far as a smoke test speaks it: readiness, metadata, one tensor in and one out.

Source: kserve.github.io, "Open Inference Protocol (V2)", HTTP/REST.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from pipelines.steps.failure import FailureKind, StepFailed
from pipelines.steps.golden import Golden
from pipelines.steps.http_request import FAULTS, Answer, request

TIMEOUT_S = 30.0
PATIENCE_S = 10.0  # routes may open a moment later than readiness is told
PAUSE_S = 0.1
SHOWN_CHARACTERS = 300


def check_ready(address: str, model: str) -> None:
    """Raises StepFailed when the server is not ready, or does not know the model."""
    _ask("GET", f"{address}/v2/health/ready", "whether it is ready")
    document = _ask("GET", f"{address}/v2/models/{quote(model, safe='')}", "for the model's metadata").json()
    name = document.get("name") if isinstance(document, dict) else None
    if name != model:
        raise StepFailed(
            FailureKind.SMOKE_TEST, f"The model server was asked for `{model}`, and knows it as {_shown(name)}."
        )


def predict(address: str, model: str, golden: Golden) -> list[Any]:
    """What the served model says of the golden rows: one value for each, or a row of values."""
    rows, columns = len(golden.inputs), len(golden.inputs[0])
    flat = [value if isinstance(value, str) else float(value) for row in golden.inputs for value in row]
    datatype = "BYTES" if golden.is_text else "FP64"
    tensor = {"name": "input-0", "shape": [rows, columns], "datatype": datatype, "data": flat}
    url = f"{address}/v2/models/{quote(model, safe='')}/infer"
    return _read_output(_ask("POST", url, "about the golden rows", {"inputs": [tensor]}).json(), rows)


def _read_output(document: Any, rows: int) -> list[Any]:
    outputs = document.get("outputs") if isinstance(document, dict) else None
    output = outputs[0] if isinstance(outputs, list) and outputs else None
    data = output.get("data") if isinstance(output, dict) else None
    if not isinstance(data, list):
        raise _unreadable(f"there is no list at `outputs[0].data`: {_shown(document)}")
    values = list(_flat(data))
    if not values or len(values) % rows:
        raise _unreadable(f"it has {len(values)} values for {rows} rows")
    width = len(values) // rows
    return values if width == 1 else [values[at : at + width] for at in range(0, len(values), width)]


def _flat(data: list[Any]) -> list[Any]:
    """Tensors may be nested or flat, and mean the same."""
    while any(isinstance(item, list) for item in data):
        data = [value for item in data for value in (item if isinstance(item, list) else [item])]
    return data


def _ask(method: str, url: str, about: str, body: object = None) -> Answer:
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = request(method, url, body=body, timeout_s=TIMEOUT_S)
        except FAULTS as fault:
            trouble = f"gave no answer ({fault or type(fault).__name__})"
        except ValueError as error:
            raise StepFailed(FailureKind.SERVING, f"The model server's address can not be used: {error}.") from error
        else:
            if answer.status == 200:
                return answer
            trouble = f"answered {answer.status}: {_shown(answer.json() or answer.content.decode('utf-8', 'replace'))}"
            if answer.status != 503:
                raise _unanswered(about, trouble)
        if time.monotonic() + PAUSE_S > deadline_s:
            raise _unanswered(about, trouble)
        time.sleep(PAUSE_S)


def _unanswered(about: str, trouble: str) -> StepFailed:
    return StepFailed(
        FailureKind.SMOKE_TEST,
        f"The model server was asked {about}, and {trouble}",
        fix="The former version keeps serving. The model server's own log says more.",
    )


def _unreadable(what: str) -> StepFailed:
    return StepFailed(
        FailureKind.SMOKE_TEST,
        f"The model server's answer about the golden rows can not be read: {what}.",
        fix="The former version keeps serving. Let `predict` give one prediction for each row.",
    )


def _shown(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("error") or value.get("detail"), str):
        value = value.get("error") or value["detail"]
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
