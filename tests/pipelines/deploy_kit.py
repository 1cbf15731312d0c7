"""Runs the steps of `deploy` as an engine would, against a bot and a model server of the tests' own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema

from bot.domain.result import Result
from bot.result_file import parse_result
from pipelines.arguments import pack
from pipelines.steps.apply import apply_step
from pipelines.steps.model import digest_of, model_files
from pipelines.steps.promote import promote_step
from pipelines.steps.report import report_step
from pipelines.steps.smoke_test import smoke_test_step
from pipelines.steps.verify import verify_step
from tests.fakes.model_server import ModelServer, model_server
from tests.fakes.serving_callback import ServingCallback, serving_callback
from tests.pipelines.kit import SCHEMA

RUN_ID = "run-00000000000000d1"
GOLDEN = {"inputs": [[1, 2], [3, 4], [5, 6]], "predictions": [3, 7, 11]}


@dataclass
class Deploy:
    """One deployment: `run()` carries out the steps of `deploy` one after the other, as Kubeflow would."""

    folder: Path
    bot: ServingCallback
    server: ModelServer
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prefix = self.folder / "runs" / RUN_ID
        self.trained = self.folder / "runs" / "run-trained"
        model = self.trained / "model"
        (model / "parts").mkdir(parents=True)
        (model / "model.txt").write_text("weights")
        (model / "parts" / "two.bin").write_bytes(b"\0" * 2000)
        self.keep_golden(GOLDEN)
        self.arguments = {
            "run_id": RUN_ID,
            "run_prefix": self.prefix.as_uri(),
            "callback_url": self.bot.url,
            "repository": "plain/models",
            "sha": "5" * 40,
            "model": "churn",
            "environment": "production",
            "version": "v1.3.0",
            "model_prefix": self.trained.as_uri(),
            "model_digest": digest_of(model, model_files(model)),
            "golden_prefix": self.trained.as_uri(),
            "canary": {"percents": [], "hold_s": 0.0, "max_error_rate": None, "max_latency_ms": None},
            "ready_timeout_s": 60.0,
            "lineage": {"run_key": "key-d", "pipeline_version": "v1"},
        }

    def keep_golden(self, document: Any) -> None:
        (self.trained / "golden.json").write_text(json.dumps(document))

    def canary(self, *percents: int, hold_s: float = 0.05, **limits: float | None) -> None:
        given = {"max_error_rate": None, "max_latency_ms": None, **limits}
        self.arguments["canary"] = {"percents": list(percents), "hold_s": hold_s, **given}

    def run(self, **changes: Any) -> Result:
        given = pack({**self.arguments, **changes})
        state = "SUCCEEDED"
        try:
            for step, names in _STEPS:
                step(run_prefix=given["run_prefix"], **{name: given[name] for name in names})
        except SystemExit:
            state = "FAILED"
        self._report(given, state)
        return self.result()

    def _report(self, given: dict[str, Any], state: str) -> None:
        copied = ("run_id", "run_prefix", "callback_url", "repository", "sha", "model", "lineage")
        report_step(
            pipeline="deploy",
            data_address="",
            data_sha="",
            data_path="",
            params={},
            split={},
            final_state=state,
            final_error="",
            summary_file=str(self.folder / "summary.html"),
            **{name: given[name] for name in copied},
        )

    def result(self) -> Result:
        content = (self.prefix / "result.json").read_bytes()
        jsonschema.validate(json.loads(content), SCHEMA)
        return parse_result(content)

    def log(self, step: str) -> list[str]:
        return (self.prefix / "logs" / f"{step}.log").read_text().splitlines()


_STEPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (verify_step, ("model_prefix", "model_digest")),
    (apply_step, ("callback_url", "model", "environment", "version", "ready_timeout_s")),
    (smoke_test_step, ("callback_url", "model", "version", "golden_prefix")),
    (promote_step, ("callback_url", "model", "environment", "version", "canary")),
)


@contextmanager
def deployment(folder: Path) -> Iterator[Deploy]:
    with model_server("churn") as server, serving_callback(RUN_ID, server.address) as bot:
        yield Deploy(folder, bot, server)


def states(result: Result) -> dict[str, str]:
    return {step.name: step.state for step in result.steps}
