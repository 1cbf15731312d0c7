"""What is uploaded to Kubeflow: a package that kfp and kfp-kubernetes read, with each secret where it belongs alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import pipelines
from bot.engines.kubeflow_needs import needs_of
from bot.engines.kubeflow_package import label_value, render_package
from bot.engines.kubeflow_settings import KubeflowSettings
from bot.ports.engine import Submission
from tests.engines.kubeflow_kit import IMAGE, training

SETTINGS = KubeflowSettings("http://ml-pipeline", IMAGE, image_pull_secret="registry")
SECRETS = {
    "MLOPS_BOT_CALLBACK_TOKEN": "callback-value",
    "MLOPS_BOT_GIT_CREDENTIALS": '{"https://git.example.com/a.git": "git-value"}',
    "WANDB_API_KEY": "wandb-value",
}
# kfp's own reading of the packages, and kfp-kubernetes' of the part for Kubernetes, in a process that may import them
READ = """
import json, sys, yaml
from google.protobuf import json_format
from kfp import components
from kfp.kubernetes import kubernetes_executor_config_pb2 as pb

for path in sys.argv[1:]:
    pipeline = components.load_component_from_file(path)
    platform = list(yaml.safe_load_all(open(path)))[1]
    assert set(pipeline.platform_spec.platforms) == {"kubernetes"}
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    for pod in executors.values():
        json_format.ParseDict(pod, pb.KubernetesExecutorConfig())
    print(pipeline.name, len(executors))
"""


def packaged(pipeline: str, **changed: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The specification, and each executor's part for Kubernetes."""
    text = text_of(pipeline, **changed)
    specification, platform = yaml.safe_load_all(text)
    return specification, platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


def text_of(pipeline: str, **changed: Any) -> str:
    submission = Submission("run-1", pipeline, training(**changed).arguments, SECRETS)
    return render_package(pipelines.package_path(pipeline).read_text(), needs_of(submission, SETTINGS))


def given(pod: dict[str, Any]) -> list[str]:
    """The secrets of a pod, as variables."""
    return [key["envVar"] for one in pod.get("secretAsEnv", ()) for key in one["keyToEnv"]]


def test_kfp_and_kfp_kubernetes_read_the_packages(tmp_path: Path):
    for name in pipelines.NAMES:
        (tmp_path / f"{name}.yaml").write_text(text_of(name))

    paths = [str(tmp_path / f"{name}.yaml") for name in sorted(pipelines.NAMES)]
    done = subprocess.run([sys.executable, "-c", READ, *paths], capture_output=True, text=True)

    assert done.stderr.splitlines()[-1:] == []
    assert done.stdout.splitlines() == ["deploy-model 5", "evaluate-model 3", "train-model 4"]


def test_a_pod_that_waits_for_spot_machines_of_sagemaker_may_live_longer():
    job = {"spot": True, "max_wait_s": 1800}
    _, pods = packaged("train", train={"run": "python train.py", "timeout_s": 7200, "sagemaker": job})

    assert pods["exec-train"]["activeDeadlineSeconds"] == "12600"


def test_the_models_steps_get_its_resources_its_image_and_a_limit():
    specification, pods = packaged("train", environment={"image": "registry.example.com/acme/torch:2"})
    containers = {
        name: executor["container"] for name, executor in specification["deploymentSpec"]["executors"].items()
    }

    assert {name: container["image"] for name, container in containers.items()} == {
        "exec-fetch": IMAGE,
        "exec-train": "registry.example.com/acme/torch:2",
        "exec-evaluate": "registry.example.com/acme/torch:2",
        "exec-report": IMAGE,
    }
    asked = containers["exec-train"]["resources"]
    assert (asked["resourceCpuLimit"], asked["resourceMemoryLimit"]) == ("2000m", str(4 << 30))
    assert asked["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert asked["accelerator"]["resourceCount"] == "1"
    assert "resources" not in containers["exec-fetch"]
    assert pods["exec-train"]["activeDeadlineSeconds"] == "10800"
    assert pods["exec-train"]["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]
    assert "tolerations" not in pods["exec-fetch"]
    assert all(pod["imagePullSecret"][0]["secretName"] == "registry" for pod in pods.values())
    assert pods["exec-report"]["podMetadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "mlops-bot",
        "mlops-bot/model": "churn",
        "mlops-bot/repository": "github.acme.churn",
    }


def test_the_models_code_never_sees_the_tokens_for_its_code_and_for_the_bot():
    _, train = packaged("train")
    _, deploy = packaged("deploy")

    assert {name: given(pod) for name, pod in train.items()} == {
        "exec-fetch": ["MLOPS_BOT_GIT_CREDENTIALS", "MLOPS_BOT_CALLBACK_TOKEN"],
        "exec-train": ["MLOPS_BOT_SECRET_WANDB_API_KEY"],
        "exec-evaluate": ["MLOPS_BOT_SECRET_WANDB_API_KEY"],
        "exec-report": ["MLOPS_BOT_CALLBACK_TOKEN"],
    }
    assert {variable for pod in deploy.values() for variable in given(pod)} == {"MLOPS_BOT_CALLBACK_TOKEN"}


def test_the_secrets_name_is_the_runs_id_handed_down_as_a_parameter():
    specification, pods = packaged("train")
    group = specification["root"]["dag"]["tasks"]["exit-handler-1"]
    inside = specification["components"]["comp-exit-handler-1"]["inputDefinitions"]["parameters"]

    names = {name: pod["secretAsEnv"][0]["secretNameParameter"] for name, pod in pods.items()}
    assert names["exec-report"] == {"componentInputParameter": "run_id"}
    assert names["exec-train"] == {"componentInputParameter": "pipelinechannel--run_id"}
    assert group["inputs"]["parameters"]["pipelinechannel--run_id"] == {"componentInputParameter": "run_id"}
    assert inside["pipelinechannel--run_id"] == {"parameterType": "STRING"}


def test_what_only_one_run_has_is_not_in_its_package():
    one, other = text_of("train"), text_of("train", number=2, sha="f" * 40, params={"trees": 300})

    assert one == other
    assert "-value" not in one
    assert training().run_id not in one


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github/acme/churn", "github.acme.churn"),
        ("gitlab/Gruppe/Ünter/x_", "gitlab.Gruppe.nter.x"),
        ("-", ""),
        ("a" * 63, "a" * 63),
    ],
)
def test_labels_are_what_kubernetes_takes(text: str, value: str):
    assert label_value(text) == value


def test_labels_that_were_cut_stay_different():
    one, other = label_value("a" * 70 + "b"), label_value("a" * 70 + "c")

    assert one != other
    assert len(one) == 63
