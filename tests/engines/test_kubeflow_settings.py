"""How the bot is told of a cluster, and what the doctor says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.domain.errors import TransientError, UserError
from bot.engines.kubeflow_settings import KubeflowSettings, read_settings
from bot.settings import Settings, load_settings
from bot.wiring.doctor import resting_checks
from tests.engines.kubeflow_kit import IMAGE, Cluster

URL = "http://ml-pipeline.kubeflow:8888"
LEAST = {"MLOPS_BOT_KUBEFLOW_URL": URL, "MLOPS_BOT_KUBEFLOW_IMAGE": IMAGE}


def settings(home: Path, **environ: str) -> Settings:
    return load_settings({"MLOPS_BOT_HOME": str(home), "MLOPS_BOT_ENGINE": "kubeflow", **LEAST, **environ})


def test_address_and_image_are_enough():
    assert read_settings(LEAST) == KubeflowSettings(url=URL, image=IMAGE)


def test_in_a_pod_the_clusters_own_api_and_token_are_used():
    told = read_settings({**LEAST, "KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": "443"})

    folder = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    assert told.kubernetes_url == "https://10.0.0.1:443"
    assert (told.kubernetes_token_file, told.kubernetes_ca_file) == (folder / "token", folder / "ca.crt")


def test_another_api_gets_no_token_of_the_pod():
    told = read_settings(
        {**LEAST, "KUBERNETES_SERVICE_HOST": "10.0.0.1", "MLOPS_BOT_KUBERNETES_URL": "http://localhost:8001"}
    )

    assert (told.kubernetes_url, told.kubernetes_token_file) == ("http://localhost:8001", None)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"MLOPS_BOT_KUBEFLOW_URL": ""}, "MLOPS_BOT_KUBEFLOW_URL is missing"),
        ({"MLOPS_BOT_KUBEFLOW_IMAGE": ""}, "MLOPS_BOT_KUBEFLOW_IMAGE is missing"),
        ({"MLOPS_BOT_KUBEFLOW_URL": "ml-pipeline:8888"}, "Write an address"),
        ({"MLOPS_BOT_KUBEFLOW_NAMESPACE": "Team A"}, "Write a name of Kubernetes"),
    ],
)
def test_what_can_not_be_meant_is_refused(changed: dict[str, str], words: str):
    with pytest.raises(UserError, match=words):
        read_settings({**LEAST, **changed})


def test_an_engine_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"Use `local` or `kubeflow`\."):
        settings(tmp_path, MLOPS_BOT_ENGINE="airflow")


def test_steps_on_a_cluster_reach_the_bot_where_people_do_unless_told_otherwise(tmp_path: Path):
    public = {"MLOPS_BOT_PUBLIC_URL": "https://mlops.example.com"}

    assert settings(tmp_path, **public).steps_url == "https://mlops.example.com"
    assert settings(tmp_path, **public, MLOPS_BOT_ENGINE="local").steps_url == "http://127.0.0.1:8321"
    inside = "http://mlops-bot.mlops-bot:8321"
    assert settings(tmp_path, **public, MLOPS_BOT_CALLBACK_URL=inside).steps_url == inside


def test_the_doctor_asks_the_cluster(cluster: Cluster, tmp_path: Path):
    told = settings(
        tmp_path, MLOPS_BOT_KUBEFLOW_URL=cluster.kubeflow.url, MLOPS_BOT_KUBERNETES_URL=cluster.kubernetes.url
    )
    look = resting_checks(told)["engine"]

    assert look() == f"kubeflow, {cluster.kubeflow.url} answers"
    cluster.kubernetes.web.tokens = {"another"}
    with pytest.raises(TransientError, match=r"Kubernetes refuses the bot's token \(401\)"):
        look()
