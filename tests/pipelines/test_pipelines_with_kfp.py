"""The compiled pipelines, carried out by kfp.local."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bot.domain.result import Result
from tests.pipelines.kit import GOOD_EVALUATE, GOOD_TRAIN, DataRepository, Workshop, failure_of

PLOTS = """
with open(os.path.join(os.environ["MLOPS_OUTPUT_DIR"], "plots", "confusion_matrix.csv"), "w") as plot:
    plot.write("actual,predicted\\ncat,cat\\ncat,dog\\n")
"""
SHOW_PARAMS = 'import json, os\nprint("params", json.load(open(os.environ["MLOPS_PARAMS"])))\n'


def run(shop: Workshop, pipeline: str, **changes: Any) -> Result:
    arguments = {**shop.arguments, **changes}
    if pipeline == "evaluate":
        del arguments["train"]
    shop.prefix = Path(arguments["run_prefix"].removeprefix("file://"))
    script = Path(__file__).with_name("run_with_kfp.py")
    environment = {**os.environ, "MLOPS_BOT_SECRET_KEY": "secret-value-1", "TMPDIR": str(shop.folder)}
    done = subprocess.run(
        [sys.executable, str(script), str(shop.folder), pipeline, json.dumps(arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    result = shop.result()
    assert done.returncode == (0 if result.state == "succeeded" else 3), done.stdout + done.stderr
    return result


def outputs_of(shop: Workshop, task: str) -> dict[str, dict[str, Any]]:
    """The metadata of a task's artifacts, as Kubeflow's UI would show them."""
    (file,) = (shop.folder / "kfp" / "root").glob(f"*/{task}/executor_output.json")
    artifacts = json.loads(file.read_text())["artifacts"]
    return {name: listed["artifacts"][0]["metadata"] for name, listed in artifacts.items()}


def test_train_runs_from_fetch_to_report(shop: Workshop, data: DataRepository):
    shop.write(train=SHOW_PARAMS + GOOD_TRAIN, evaluate=GOOD_EVALUATE + PLOTS)
    shop.use_data(data, "table.csv")
    params = {"n_estimators": 200, "rate": 1.0, "seed": 2**60, "note": "{{$}} {{$.inputs.parameters['sha']}}"}

    result = run(shop, "train", params=params, secrets=["KEY"])

    assert (result.state, result.failure) == ("succeeded", None)
    assert dict(result.params) == params
    assert f"params {params}" in result.steps[1].log_tail
    assert [step.name for step in result.steps] == ["fetch", "train", "evaluate", "report"]
    assert outputs_of(shop, "evaluate") == {
        "metrics": {"accuracy": 0.97, "f1": 0.9},
        "classification": {
            "confusionMatrix": {
                "annotationSpecs": [{"displayName": "cat"}, {"displayName": "dog"}],
                "rows": [{"row": [1, 1]}, {"row": [0, 0]}],
            }
        },
    }
    assert outputs_of(shop, "fetch")["data"]["digest"].startswith("md5:")
    assert outputs_of(shop, "train")["trained_model"]["digest"] == result.model_digest
    (page,) = (shop.folder / "kfp" / "root").glob("*/report/summary")
    assert "<td>succeeded</td>" in page.read_text()


def test_a_failed_step_ends_the_pipeline_and_is_still_reported(shop: Workshop):
    shop.write(train="raise ValueError('no such column')\n")

    result = run(shop, "train")

    assert (failure_of(result).step, failure_of(result).message) == ("train", "ValueError: no such column")
    assert [step.state for step in result.steps] == ["succeeded", "failed", "skipped", "succeeded"]


def test_a_failed_fetch_is_reported(shop: Workshop):
    shop.write()

    result = run(shop, "train", sha="0" * 40)

    assert (failure_of(result).step, failure_of(result).kind) == ("fetch", "code")


def test_evaluate_takes_the_model_of_an_earlier_run_and_checks_its_digest(shop: Workshop):
    shop.write(evaluate=GOOD_EVALUATE + "print(open(os.environ['MLOPS_MODEL_DIR'] + '/model.txt').read())\n")
    trained = shop.run()
    earlier = shop.prefix

    later = (shop.folder / "runs" / "run-2").as_uri()
    good = run(
        shop,
        "evaluate",
        run_id="run-2",
        run_prefix=later,
        model_prefix=earlier.as_uri(),
        model_digest=trained.model_digest,
    )
    (earlier / "model" / "model.txt").write_text("other weights")
    bad = shop.evaluate(earlier.as_uri(), trained.model_digest, run_prefix=later)

    assert (good.state, good.pipeline, good.model_digest) == ("succeeded", "evaluate", trained.model_digest)
    assert good.steps[1].log_tail[-1] == "weights"
    assert [(step.name, step.state) for step in good.steps] == [
        ("fetch", "succeeded"),
        ("evaluate", "succeeded"),
        ("report", "succeeded"),
    ]
    assert failure_of(bad).kind == "no_model"
    assert failure_of(bad).message.startswith("The model in the artifact store is not the one that was trained: ")
