"""The fake Kubeflow is no easier than the real one: kfp's own client works with it, and what is wrong is refused."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from bot.engines.kubeflow import KubeflowEngine
from tests.engines.kubeflow_kit import Cluster, one, training

CLIENT = """
import json, sys
import kfp

client = kfp.Client(host=sys.argv[1])
names = json.loads(sys.argv[2])
wanted = {"predicates": [{"operation": "IN", "key": "display_name", "stringValues": {"values": names}}]}
(run,) = client.list_runs(page_size=200, filter=json.dumps(wanted)).runs
version = run.pipeline_version_reference
shown = client.get_pipeline_version(version.pipeline_id, version.pipeline_version_id)
experiment = client.get_experiment(experiment_id=run.experiment_id)
client.terminate_run(run.run_id)
print(run.display_name, run.state, shown.display_name == shown.name, experiment.display_name)
print(client.get_run(run.run_id).state, client.get_pipeline_id("mlops-bot-train") == version.pipeline_id)
"""


def test_kfps_own_client_reads_what_the_engine_made(cluster: Cluster, on_cluster: KubeflowEngine):
    run = training()
    on_cluster.submit(run)

    arguments = [cluster.kubeflow.url, f'["{run.run_id}"]']
    done = subprocess.run([sys.executable, "-c", CLIENT, *arguments], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{run.run_id} PENDING True github/acme/churn", "CANCELING True"]
    assert one(on_cluster, run.run_id).state == "running"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"page_size": "201"}, "page size"),
        ({"namespace": "team-a"}, "single-user mode"),
        ({"filter": '{"predicates":[{"key":"label","operation":"EQUALS","string_value":"x"}]}'}, "no such field"),
        ({"filter": '{"predicates":[{"key":"run_id","operation":"LIKE","string_value":"x"}]}'}, "LIKE"),
    ],
)
def test_what_kubeflow_does_not_understand_is_refused(cluster: Cluster, query: dict[str, str], words: str):
    answer = httpx.get(f"{cluster.kubeflow.url}/apis/v2beta1/runs", params=query, trust_env=False)

    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_what_is_not_in_the_apis_description_is_noticed(cluster: Cluster):
    answer = httpx.post(f"{cluster.kubeflow.url}/apis/v2beta1/runs", json={"surprise": 1}, trust_env=False)

    assert answer.status_code == 500
    assert "surprise" in cluster.kubeflow.web.violations.pop()
