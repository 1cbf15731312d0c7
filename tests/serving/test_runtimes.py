"""Every runtime predicts what the model predicted that was saved: real libraries in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import pipelines.serving
from pipelines.steps.environment import prepare_environment
from tests.serving.kit import REQUIREMENTS, uv_environment

# xgboost-cpu is xgboost without 200 MB for graphics cards
LIBRARIES = [
    REQUIREMENTS.strip(), "pandas>=2.2,<3", "skops>=0.11,<1", "xgboost-cpu>=3,<4", "lightgbm>=4.6,<5",
    "onnxruntime>=1.20,<2", "skl2onnx>=1.18,<2",
]  # fmt: skip
BYTES_CASES = {"classes with names"}
FLOAT_CASES = {"several targets", "columns by name", "a tensor a column", "lightgbm booster"}


def test_what_is_served_is_what_the_model_said_in_evaluation(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", uv_environment()["UV_CACHE_DIR"])
    environment = prepare_environment(
        {}, model_folder=tmp_path, checkout=tmp_path, cache=cache, scratch=tmp_path, say=print, also=LIBRARIES
    )
    program = Path(pipelines.serving.__file__).with_name("server")
    cases = Path(__file__).with_name("runtime_cases.py")
    done = subprocess.run(
        [f"{environment}/bin/python", str(cases), str(program), str(tmp_path)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    refused = {name: words for name, words in told.items() if isinstance(words, str)}
    served = {name: case for name, case in told.items() if isinstance(case, dict)}

    assert set(served) == {
        "joblib", "a name of its own", "skops", "pickle", "classes with names", "several targets", "text",
        "columns by name", "a tensor a column", "a class of the repository", "xgboost", "xgboost in joblib",
        "xgboost booster", "lightgbm in joblib", "lightgbm booster", "onnx",
    }  # fmt: skip
    for name, case in served.items():
        assert (name, case["served"]) == (name, case["evaluated"])
    datatypes = {name: case["datatype"] for name, case in served.items()}
    assert {name for name, datatype in datatypes.items() if datatype == "BYTES"} == BYTES_CASES
    assert {name for name, datatype in datatypes.items() if datatype == "FP64"} == FLOAT_CASES
    assert {name for name, datatype in datatypes.items() if datatype == "FP32"} == {"xgboost booster"}
    assert {name for name, datatype in datatypes.items() if datatype not in ("BYTES", "FP64", "FP32", "INT64")} == set()
    assert refused == {
        "nothing": "There is no `model.joblib`, `model.skops`, `model.pkl` or `model.pickle` among the model's files: "
        "model.h5.",
        "not a model": "What is in `model.joblib` has no `predict`: it is a dict.",
        "no predict.py": "There is no `predict.py` in the model's folder of the repository.",
    }
