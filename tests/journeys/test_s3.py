"""The whole way with the artifacts in S3: trained, reported, shown, deployed and served, on this machine's engine."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from bot.domain.check import Conclusion
from bot.domain.deployment import DeploymentPhase
from bot.domain.run import Phase
from bot.usecases.deployments.by_operator import Wish, deploy_by_operator
from tests.fakes.s3_server import S3Server
from tests.journeys.served_model import DEPLOY, GOLDEN, PREDICT, SERVES_WITHIN_S, predict
from tests.journeys.workplace import EVALUATE, PROJECT, TRAIN, Running, Workplace

# What the model's own code can find out: its variables, and those that the processes above it were started with.
SNOOP = """
import os, pathlib

def snoop():
    found, pid = dict(os.environ), os.getpid()
    text = "\\n".join(f"{name}={value}" for name, value in found.items())
    while pid > 1:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        try:
            text += pathlib.Path(f"/proc/{pid}/environ").read_text().replace("\\0", "\\n")
        except OSError:
            pass
        pid = int(stat.rpartition(")")[2].split()[1])
    return [line for line in text.splitlines() if "bot-secret" in line or "bot-key" in line]

assert not snoop(), f"the artifact store's credentials are seen: {snoop()}"
"""

CURVE = """
(output / "plots" / "roc.csv").write_text("fpr,tpr\\n0,0\\n0.5,0.9\\n1,1\\n")
"""


def test_a_model_is_trained_reported_and_served_with_its_files_in_s3(
    lonely: Workplace, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(lonely.home.parent))
    url = s3.new_url()
    lonely.write("mlops.yaml", PROJECT + DEPLOY)
    lonely.write("churn/train.py", SNOOP + TRAIN)
    lonely.write("churn/evaluate.py", SNOOP + EVALUATE + GOLDEN + CURVE)
    lonely.write("churn/predict.py", SNOOP + PREDICT)
    sha = lonely.commit("Serve it")
    with lonely.service(MLOPS_BOT_ARTIFACTS_URL=url) as running:
        lonely.push("main")
        run = running.ended(sha)
        assert run.phase is Phase.SUCCEEDED, run.result
        assert run.result is not None
        (check,) = [check for check in running.checks(sha, completed=True) if check.name == "mlops/churn"]
        assert check.conclusion is Conclusion.SUCCESS
        engine_run = running.service.bot.engine.observe([run.id])[run.id]
        artifacts = running.service.bot.world.artifacts

        assert artifacts.prefix(run.id) == f"{url}/runs/{run.id}"
        assert {"result.json", "model/model.json", "logs/train.log"} <= {name for name, _ in artifacts.files(run.id)}
        assert [step.state for step in engine_run.steps] == ["succeeded"] * 4
        assert not (lonely.home / "artifacts").exists()
        signed = running.service.bot.world.links.plot(run.id, "plots/roc.csv", made_at=run.ended_at)
        with urllib.request.urlopen(signed, timeout=10) as answer:
            assert answer.headers["content-type"].startswith("image/svg+xml")
            assert b"<svg" in answer.read()
        try:
            _serve(running, lonely)
            assert _files_with(lonely.home, s3.environ()["AWS_SECRET_ACCESS_KEY"].encode()) == []
        finally:
            running.service.bot.serving.end(within_s=20)


def _serve(running: Running, place: Workplace) -> None:
    wish = Wish(repository=place.key, environment="staging", model="churn", version=None, by="ada", source="api:1")
    deployment = deploy_by_operator(wish, running.service.bot.world)

    def live() -> bool:
        now = running.service.bot.store.deployment(deployment.id)
        assert now is not None
        assert now.phase is not DeploymentPhase.FAILED, now.words
        return now.phase is DeploymentPhase.LIVE

    running.wait_for("the deployment", live, within_s=SERVES_WITHIN_S)
    answer = predict(running, "staging", 0.9)
    assert answer is not None
    assert answer[0] == 1.0


def _files_with(folder: Path, words: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and words in path.read_bytes()]
