"""A real model server: kserve with a small scikit-learn model, started as the bot starts it for a revision."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from pipelines.serving.order import Order
from pipelines.serving.prepare import KSERVE, RUNTIME_PACKAGES
from pipelines.steps.environment import prepare_environment
from pipelines.steps.model import digest_of, model_files
from tests.bench.served import end, wait_for

MODEL = "churn"
FEATURES = 30  # as many as the sample model has
START_WITHIN_S = 120.0
TRAIN = f"""
import sys, joblib, numpy
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
rows = numpy.random.default_rng(7).normal(size=(500, {FEATURES}))
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows[:, 0] > 0)
joblib.dump(model, sys.argv[1])
"""


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Gives its port. Its environment is built below `folder`: uv has its packages, or fetches them."""
    revision, storage = folder / "revision", folder / "run" / "model"
    for needed in (revision, storage):
        needed.mkdir(parents=True)
    environment = prepare_environment(
        {},
        model_folder=revision,
        checkout=revision,
        cache=folder / "cache",
        scratch=revision,
        say=lambda _words: None,
        also=(KSERVE, *RUNTIME_PACKAGES["sklearn"]),
    )
    assert environment is not None
    subprocess.run([environment / "bin" / "python", "-c", TRAIN, storage / "model.joblib"], check=True)
    order = Order(
        model=MODEL,
        version="v1.0.0",
        runtime="sklearn",
        storage=storage.as_uri(),
        digest=digest_of(storage, model_files(storage)),
        code="",
        sha="",
        model_path="",
        cache=str(folder / "cache"),
    )
    (revision / "order.json").write_text(json.dumps(asdict(order)))
    process = subprocess.Popen([sys.executable, "-m", "pipelines.serving.launch", str(revision)])
    try:
        yield wait_for("the model server", lambda: _port(process, revision), within_s=START_WITHIN_S)
    finally:
        end(process)


def _port(process: subprocess.Popen[bytes], revision: Path) -> int | None:
    if process.poll() is not None:
        raise RuntimeError(f"the model server ended: {(revision / 'log').read_text()[-2000:]}")
    try:
        return int(json.loads((revision / "ready.json").read_text())["port"])
    except FileNotFoundError:
        return None
