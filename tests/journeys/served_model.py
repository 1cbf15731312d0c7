"""A model that is served: its code, and how to ask it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from tests.journeys.workplace import Running

SERVES_WITHIN_S = 90.0
DEPLOY = """\
    deploy:
      serve: python
      environments:
        staging: {}
        production: {approvals: 1}
        careful: {canary: [50, 100], hold: 2s}
"""
PREDICT = """
import json, pathlib

MODEL = {}

def load(folder):
    MODEL.update(json.loads((pathlib.Path(folder) / "model.json").read_text()))

def predict(rows):
    return [[float(row[0] >= MODEL["threshold"])] for row in rows]
"""
GOLDEN = """
(output / "golden.json").write_text(json.dumps({
    "inputs": [[0.0], [1.0]], "predictions": [[0.0], [1.0]],
}))
"""


def predict(running: Running, environment: str, value: float) -> tuple[float, str] | None:
    """The prediction, and the revision that made it; None while nothing is ready. Raises OSError for anything else."""
    settings = running.service.settings
    tensor = {"name": "input-0", "shape": [1, 1], "datatype": "FP64", "data": [value]}
    request = urllib.request.Request(
        f"{settings.local_url}/serve/{environment}/churn/v2/models/churn/infer",
        data=json.dumps({"inputs": [tensor]}).encode(),
        headers={"Authorization": f"Bearer {settings.predict_token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            document: dict[str, Any] = json.loads(answer.read())
            return float(document["outputs"][0]["data"][0]), answer.headers["x-mlops-revision"]
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return None
        raise
