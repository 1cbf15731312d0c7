"""What tests of serving share: models of a real library in a real environment, and waiting with a deadline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bot.domain.serving import DesiredService, ObservedRevision, RevisionState, ServedRevision, Share
from bot.engines.local_environment import inherited
from bot.ports.forge import GitCredential
from bot.ports.serving import Backend
from bot.serving.local import LocalServing
from pipelines.serving.folder import ServerFolder
from pipelines.serving.prepare import KSERVE
from pipelines.steps.environment import prepare_environment
from pipelines.steps.model import digest_of, model_files
from tests.pipelines.kit import commit

DEADLINE_S = 120.0
REQUIREMENTS = "scikit-learn==1.7.2\n"  # as in the demo, so that one download is enough for all tests
PREDICT = """\
import json, time
from pathlib import Path

import numpy as np

import offset  # a neighbour in the model's folder


def load(model_dir):
    global weights
    weights = np.array(json.loads((Path(model_dir) / "weights.json").read_text()))


def predict(inputs):
    if inputs.dtype == object:  # names a file to wait for
        while not Path(inputs[0]).exists():
            time.sleep(0.01)
        return np.array(["waited"])
    if inputs.shape[1] != len(weights):
        raise ValueError(f"there are {len(weights)} weights")
    return (inputs @ weights + offset.VALUE).astype(np.int32)
"""
MAKE_MODELS = """\
import json, sys
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

folder = Path(sys.argv[1])
rows, classes = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, classes)
(folder / "cancer").mkdir()
joblib.dump(model, folder / "cancer" / "model.joblib")
some = rows[::60]
golden = {"inputs": some.tolist(), "predictions": model.predict(some).tolist()}
(folder / "golden.json").write_text(json.dumps(golden))
"""


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait for something to become true."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"did not come to pass: {what or condition}"
        time.sleep(0.01)
    return value


def uv_environment() -> dict[str, str]:
    """As the service's, with the cache of this machine's uv, so that wheels are there."""
    known = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
    return {**inherited(os.environ), "UV_CACHE_DIR": known}


@dataclass(frozen=True)
class Shop:
    """What there is to serve. `cache` holds the one environment of all tests, whose interpreter is `python`."""

    folder: Path
    cache: Path
    python: Path
    code: str
    sha: str
    golden: Mapping[str, Any]

    @property
    def models(self) -> Path:
        return self.folder / "models"

    def revision(self, model: str, **changes: Any) -> ServedRevision:
        """`model` is one of the folders below `models`."""
        folder = self.models / model
        digest = digest_of(folder, model_files(folder))
        fields: dict[str, Any] = {
            "id": f"v1.0.0-{digest[:12]}",
            "version": "v1.0.0",
            "sha": self.sha,
            "data_sha": "d" * 40,
            "digest": digest,
            "runtime": "sklearn",
            "storage": folder.as_uri(),
            "code": self.code,
            "model_path": "models/cancer",
            "environment": {"python": "", "requirements": "requirements.txt", "image": ""},
        }
        return ServedRevision(**{**fields, **changes})


def open_shop(folder: Path, cache: Path) -> Shop:
    """Builds the environment of the tests, and models in it."""
    repository = folder / "repository"
    at = "models/cancer"
    files = {
        "requirements.txt": REQUIREMENTS,
        "conflicting.txt": "kserve==0.10.0\n",
        "predict.py": PREDICT,
        "offset.py": "VALUE = 1\n",
    }
    sha = commit(repository, {f"{at}/{name}": text for name, text in files.items()})
    environment = prepare_environment(
        {"requirements": "requirements.txt"},
        model_folder=repository / at,
        checkout=repository,
        cache=cache,
        scratch=folder,
        say=lambda _words: None,
        also=[KSERVE],
    )
    models = folder / "models"
    models.mkdir()
    assert environment is not None
    python = environment / "bin" / "python"
    subprocess.run([python, "-c", MAKE_MODELS, str(models)], check=True)
    for name, file, content in (
        ("weights", "weights.json", "[1, 10]"),
        ("garbage", "model.joblib", "not a model"),
    ):
        (models / name).mkdir()
        (models / name / file).write_text(content)
    return Shop(folder, cache, python, repository.as_uri(), sha, json.loads((models / "golden.json").read_text()))


@dataclass
class Counter:
    """A bot's serving. `heard` is what `on_change` was told, `lent` for which addresses credentials were asked."""

    home: Path
    shop: Shop
    heard: list[tuple[str, str]] = field(default_factory=list)
    lent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.serving = self._build()

    def _build(self) -> LocalServing:
        return LocalServing(
            self.home,
            clock=lambda: datetime.now(UTC),
            cache=self.shop.cache,
            environment=uv_environment(),
            on_change=lambda environment, model: self.heard.append((environment, model)),
            credential_of=self._lend,
        )

    def _lend(self, address: str) -> GitCredential | None:
        self.lent.append(address)
        return GitCredential("file://", "somebody", "password-of-git")

    def restart(self) -> None:
        self.serving.close()
        self.serving = self._build()
        self.serving.start()

    def apply(self, model: str, *shares: tuple[ServedRevision, int]) -> None:
        self.serving.apply(service(model, *shares))

    def seen(self, model: str, revision: ServedRevision) -> ObservedRevision:
        return self.serving.observe("staging", model).revision(revision.id)

    def wait(
        self, model: str, revision: ServedRevision, state: RevisionState = RevisionState.READY
    ) -> ObservedRevision:
        """Until it is in this state; a failure that nobody waits for is told at once."""
        awaited = {state, RevisionState.FAILED} if state is RevisionState.READY else {state}
        until(lambda: self.seen(model, revision).state in awaited, f"{model} is {state}")
        seen = self.seen(model, revision)
        assert seen.state is state, (seen.message, seen.log_tail)
        return seen

    def folder(self, model: str, revision: ServedRevision) -> ServerFolder:
        return ServerFolder(self.home / "serving" / "revisions" / "staging" / model / revision.id)

    def server_pid(self, model: str, revision: ServedRevision) -> int:
        ready = self.folder(model, revision).read("ready.json")
        assert ready is not None
        return int(ready["pid"])

    def backends(self, model: str) -> list[Backend]:
        return list(self.serving.backends("staging", model) or ())

    def close(self) -> None:
        """Nothing is left behind by a test."""
        self.serving.end(within_s=DEADLINE_S)
        assert not [path for path in self.home.rglob("lock") if ServerFolder(path.parent).is_held]


def service(model: str, *shares: tuple[ServedRevision, int]) -> DesiredService:
    return DesiredService("acme/models", "staging", model, tuple(Share(*share) for share in shares))


def tensor(values: list[Any], shape: list[int], datatype: str = "FP64") -> dict[str, Any]:
    return {"inputs": [{"name": "rows", "shape": shape, "datatype": datatype, "data": values}]}


def infer(address: str, model: str, body: object) -> httpx.Response:
    return httpx.post(f"{address}/v2/models/{model}/infer", json=body, timeout=DEADLINE_S)


def in_background(action: Callable[[], Any]) -> Callable[[], Any]:
    """Gives a function that waits for the action's result."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(action()))
    thread.start()

    def result() -> Any:
        thread.join(DEADLINE_S)
        return results[0]

    return result


def run_module(name: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", name, *arguments], check=False, timeout=DEADLINE_S)
