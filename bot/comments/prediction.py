"""The command line that asks a served model for a prediction, safe to be copied into a shell."""

from __future__ import annotations

import json
import math
import shlex

from bot.domain.links import Links
from bot.domain.report_deployments import DeploymentLine

REQUEST_LIMIT = 2000  # characters of a body that is shown
GOLDEN_LIMIT_BYTES = 1024 * 1024
# The shell puts the token in, so that it is never shown
AUTHORIZATION = '"Authorization: Bearer $MLOPS_BOT_PREDICT_TOKEN"'


def curl_line(line: DeploymentLine, links: Links) -> str:
    """With a row that the model knows; where none is known, what the model takes is asked for."""
    deployment = line.deployment
    address = f"{links.served(deployment.environment, deployment.model)}/v2/models/{deployment.model}"
    body = line.request_body
    if not body or len(body) > REQUEST_LIMIT or not body.isprintable():
        return f"curl -H {AUTHORIZATION} {shlex.quote(address)}"
    json_type = shlex.quote("Content-Type: application/json")
    return f"curl -H {AUTHORIZATION} -H {json_type} -d {shlex.quote(body)} {shlex.quote(f'{address}/infer')}"


def request_body(golden: bytes) -> str:
    """The first row of a run's `golden.json` as a request of the Open Inference Protocol v2; "" where there is none."""
    try:
        document = json.loads(golden) if len(golden) <= GOLDEN_LIMIT_BYTES else None
    except (ValueError, RecursionError):
        return ""
    inputs = document.get("inputs") if isinstance(document, dict) else None
    row = inputs[0] if isinstance(inputs, list) and inputs else None
    if not isinstance(row, list) or not row:
        return ""
    if all(isinstance(value, str) for value in row):
        datatype = "BYTES"
    elif all(_is_number(value) for value in row):
        datatype, row = "FP64", [float(value) for value in row]
    else:
        return ""
    tensor = {"name": "input-0", "shape": [1, len(row)], "datatype": datatype, "data": row}
    return json.dumps({"inputs": [tensor]})


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= 2**53 if isinstance(value, int) else math.isfinite(value)
