"""Predictions of what was deployed, through the service's own address: a real one, and the line for a terminal."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import Any

import httpx

from bot.comments.prediction import AUTHORIZATION, GOLDEN_LIMIT_BYTES, curl_line, request_body
from bot.demo.stage import NotAsDesigned, Stage
from bot.domain.deployment import Deployment
from bot.domain.links import Links
from bot.settings import Settings
from bot.usecases.deployments.lines import deployment_line
from bot.usecases.world import World

TIMEOUT_S = 30.0
CLASSES = {0: "malignant", 1: "benign"}
SHOWN_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Prediction:
    """One golden row: what the served model says of it, and what evaluation said."""

    row: tuple[float, ...]
    answer: int
    expected: int

    @property
    def words(self) -> str:
        shown = ", ".join(f"{value:g}" for value in self.row[:SHOWN_COLUMNS])
        more = len(self.row) - SHOWN_COLUMNS
        answer, expected = (f"{value} ({CLASSES.get(value, '?')})" for value in (self.answer, self.expected))
        return f"predicts {answer} for {shown} and {more} more columns; evaluation predicted {expected}"


def predict(deployment: Deployment, stage: Stage) -> Prediction:
    """Raises NotAsDesigned when there is no answer."""
    settings, golden = stage.service.settings, _golden(deployment, stage.service.bot.world)
    answer = httpx.post(
        f"{Links(settings.local_url).served(deployment.environment, deployment.model)}"
        f"/v2/models/{deployment.model}/infer",
        content=request_body(golden),
        headers={"Authorization": f"Bearer {settings.predict_token}", "Content-Type": "application/json"},
        timeout=TIMEOUT_S,
        trust_env=False,
    )
    if answer.status_code != httpx.codes.OK:
        raise NotAsDesigned(f"{deployment.environment} answers a prediction with {answer.status_code}: {answer.text}")
    rows = json.loads(golden)
    row, expected = rows["inputs"][0], rows["predictions"][0]
    document: dict[str, Any] = answer.json()
    return Prediction(tuple(row), document["outputs"][0]["data"][0], expected)


def terminal_line(deployment: Deployment, stage: Stage) -> str:
    """A `curl` line that works as it stands; the shell reads the token, so that it is never shown."""
    world = stage.service.bot.world
    line = curl_line(deployment_line(deployment, world, asks_forge=False), world.links)
    return line.replace(AUTHORIZATION, f'"Authorization: Bearer {_token(stage.service.settings)}"')


def _token(settings: Settings) -> str:
    """Where the shell finds it: in the home folder, unless an operator has given another one."""
    kept = settings.home / "predict-token"
    if kept.exists() and kept.read_text(encoding="ascii").strip() == settings.predict_token:
        return f"$(cat {shlex.quote(str(kept))})"
    return "$MLOPS_BOT_PREDICT_TOKEN"


def _golden(deployment: Deployment, world: World) -> bytes:
    run = world.store.run(deployment.run_id)
    assert run is not None
    golden = world.artifacts.read(run.reused_run or run.id, "golden.json", limit_bytes=GOLDEN_LIMIT_BYTES)
    if golden is None:
        raise NotAsDesigned("evaluation has kept no golden rows")
    return golden
