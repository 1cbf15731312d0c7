"""From a comment to a served model: the real service, pipeline, tags and model server."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from bot.domain.deployment import Deployment, DeploymentPhase
from tests.journeys.workplace import PROJECT, Running, Workplace, make_workplace

SERVES_WITHIN_S = 90.0
DEPLOY = """\
    deploy:
      serve: python
      environments:
        staging: {}
        production: {approvals: 1}
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


class Town:
    """A service with one repository whose model is served."""

    def __init__(self, place: Workplace, running: Running) -> None:
        self.place, self.running = place, running

    def newest(self, environment: str) -> Deployment:
        found = self.running.service.bot.store.deployments(repository=self.place.key, environment=environment)
        assert found
        return found[0]

    def came(self, environment: str, phase: DeploymentPhase) -> Deployment:
        def look() -> Deployment | None:
            newest = self.newest(environment)
            if not newest.phase.is_active and newest.phase is not phase:
                raise AssertionError(f"{newest.phase}: {newest.words}")
            return newest if newest.phase is phase else None

        return self.running.wait_for(f"{phase} in {environment}", look, within_s=SERVES_WITHIN_S)

    def predict(self, environment: str, value: float) -> tuple[float, str]:
        """The prediction, and the revision that made it."""
        settings = self.running.service.settings
        request = urllib.request.Request(
            f"{settings.local_url}/serve/{environment}/churn/v2/models/churn/infer",
            data=json.dumps(
                {"inputs": [{"name": "input-0", "shape": [1, 1], "datatype": "FP64", "data": [value]}]}
            ).encode(),
            headers={"Authorization": f"Bearer {settings.predict_token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            document: dict[str, Any] = json.loads(answer.read())
            return float(document["outputs"][0]["data"][0]), answer.headers["x-mlops-revision"]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    place = make_workplace(tmp_path_factory.mktemp("town"))
    place.write("mlops.yaml", PROJECT + DEPLOY)
    place.write("churn/predict.py", PREDICT)
    place.write("churn/evaluate.py", (place.worktree / "churn/evaluate.py").read_text() + GOLDEN)
    place.commit("Serve it")
    with place.service() as running:
        place.push("main")
        running.ended(place.git("rev-parse", "HEAD"))
        yield Town(place, running)
        for served in running.service.bot.serving.services():
            running.service.bot.serving.remove(served.environment, served.model)


def test_a_comment_deploys_what_was_trained_and_it_predicts(town: Town) -> None:
    place, running = town.place, town.running
    place.git("checkout", "--quiet", "-b", "better")
    place.write("mlops.yaml", (PROJECT + DEPLOY).replace("default: 0.4", "default: 0.5"))
    sha = place.commit("Try 0.5")
    place.push("better")
    running.ended(sha)

    answer = running.say(1, "/deploy staging")
    live = town.came("staging", DeploymentPhase.LIVE)

    assert "`churn` to `staging`" in answer
    assert live.version == "v1.0.0" or live.version == "v1.0.1"
    assert [town.predict("staging", value)[0] for value in (0.45, 0.55)] == [0.0, 1.0]
    print(town.predict("staging", 0.5), time.monotonic())
