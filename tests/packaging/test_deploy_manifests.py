"""The manifests are what Kubernetes takes, and what the service reads and answers."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest

from bot.settings import DEFAULT_PORT, Settings, load_settings
from tests.packaging.kustomize import BUILDS, KUSTOMIZE, OVERLAYS, Document, container, documents, pod_spec, the
from tests.web.kit import Workplace, client, open_workplace

# Kubernetes' schemas do not have what others define
OPERATORS = {"ServiceMonitor", "PrometheusRule"}
OLDEST_VERSION = "1.30"  # ValidatingAdmissionPolicy became stable in it
VERSIONS = (OLDEST_VERSION, kubernetes_validate.latest_version())
SECRETS = "/run/secrets/mlops-bot"

overlays = pytest.mark.parametrize("overlay", OVERLAYS)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("build", BUILDS)
def test_kubernetes_takes_every_manifest_and_knows_every_field(build: str, version: str):
    checked = [document for document in documents(build) if document["kind"] not in OPERATORS]

    for document in checked:
        kubernetes_validate.validate(document, version, strict=True)

    assert checked


def test_a_manifest_with_a_mistyped_field_is_refused():
    service = {**the("overlays/single", "Service"), "spec": {"port": [{"port": 8321}]}}

    with pytest.raises(kubernetes_validate.ValidationError, match="'port' was unexpected"):
        kubernetes_validate.validate(service, OLDEST_VERSION, strict=True)


@pytest.mark.parametrize("build", [*BUILDS, "base", "pipelines-access"])
def test_every_file_of_the_folder_is_used(build: str):
    used = (KUSTOMIZE / build / "kustomization.yaml").read_text(encoding="utf-8")

    names = {path.name for path in (KUSTOMIZE / build).iterdir()} - {"kustomization.yaml"}
    assert {name for name in names if name not in used} == set()


def test_what_is_applied_is_all_that_is_meant():
    kinds = {overlay: sorted(document["kind"] for document in documents(overlay)) for overlay in OVERLAYS}

    both = ["ConfigMap", "Deployment", "Namespace", "NetworkPolicy", "Role", "RoleBinding", "Service"]
    both += ["ServiceAccount", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    assert kinds == {
        "overlays/single": sorted([*both, "PersistentVolumeClaim"]),
        "overlays/ha": sorted([*both, "HorizontalPodAutoscaler", "PodDisruptionBudget"]),
    }


@overlays
def test_pods_are_held_to_the_restricted_pod_security_standard(overlay: str):
    assert the(overlay, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod_spec(overlay)["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(overlay)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    kinds = {next(iter(set(volume) - {"name"})) for volume in pod_spec(overlay)["volumes"]}
    assert kinds <= {"emptyDir", "persistentVolumeClaim", "secret", "projected", "configMap"}


@overlays
def test_the_service_starts_with_the_settings_of_the_manifests(overlay: str, tmp_path: Path):
    settings = settings_of(overlay, tmp_path)

    assert (settings.engine, settings.port, settings.log_json) == ("kubeflow", DEFAULT_PORT, True)
    assert settings.github is not None
    assert settings.access_token == "content of access-token"
    assert settings.hook_secret == "content of hook-secret"
    assert settings.kubeflow is not None
    assert settings.kubeflow.token_file == Path("/run/secrets/kubeflow/token")
    assert settings.kubeflow.kubernetes_url == "https://10.0.0.1:443"
    expected = {"overlays/single": f"sqlite:///{tmp_path}/bot.sqlite3", "overlays/ha": "content of database-url"}
    assert settings.database_url == expected[overlay]


@overlays
def test_every_setting_is_one_that_the_service_reads(overlay: str):
    code = "".join(path.read_text(encoding="utf-8") for path in (KUSTOMIZE.parents[1] / "bot").rglob("*settings.py"))
    known = set(re.findall(r"MLOPS_BOT_[A-Z_]+", code))

    asked = [
        line.lstrip("# ").partition("=")[0]
        for file in (KUSTOMIZE / "base" / "settings.env", KUSTOMIZE / overlay / "settings.env")
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.match(r"(# )?MLOPS_BOT_\w+=", line)
    ]
    unknown = [name for name in asked if name not in known and name.removesuffix("_FILE") not in known]
    assert len(asked) > 10
    assert unknown == []


def test_replicas_share_what_is_made_once_in_a_home_of_ones_own():
    settings = the("overlays/ha", "ConfigMap")["data"]

    shared = ("ACCESS_TOKEN", "PREDICT_TOKEN", "HOOK_SECRET", "CALLBACK_SECRET", "DATABASE_URL")
    assert [name for name in shared if not settings[f"MLOPS_BOT_{name}_FILE"].startswith(f"{SECRETS}/")] == []


@overlays
@pytest.mark.anyio
async def test_probes_and_ports_are_those_that_the_service_answers(overlay: str, tmp_path: Path):
    probes = {name: container(overlay)[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    with open_workplace(tmp_path) as place:
        place.engine.problem = "Kubeflow is down"
        answers = await statuses(place, [probe["path"] for probe in probes.values()])

    assert answers == [200, 200, 200]
    assert {probe["port"] for probe in probes.values()} == {"http"}
    assert container(overlay)["ports"] == [{"name": "http", "containerPort": DEFAULT_PORT}]
    assert the(overlay, "Service")["spec"]["ports"] == [{"name": "http", "port": DEFAULT_PORT, "targetPort": "http"}]


@overlays
def test_steps_reach_the_service_inside_of_the_cluster(overlay: str):
    service = the(overlay, "Service")
    name = "{name}.{namespace}".format(**service["metadata"])

    address = f"http://{name}:{service['spec']['ports'][0]['port']}"
    assert the(overlay, "ConfigMap")["data"]["MLOPS_BOT_CALLBACK_URL"] == address


@overlays
def test_the_readme_makes_the_secret_that_the_manifests_name(overlay: str):
    readme = (KUSTOMIZE.parents[1] / "README.md").read_text(encoding="utf-8").partition("## On a cluster")[2]
    (secret,) = [volume["secret"] for volume in pod_spec(overlay)["volumes"] if "secret" in volume]
    paths = [Path(value) for value in the(overlay, "ConfigMap")["data"].values() if value.startswith(f"{SECRETS}/")]

    assert f"create secret generic {secret['secretName']} " in readme
    made = set(re.findall(r"--from-file=([a-z-]+)=", readme))
    assert {path.name for path in paths} <= made


@overlays
def test_all_that_selects_pods_selects_these(overlay: str):
    labels = the(overlay, "Deployment")["spec"]["template"]["metadata"]["labels"]

    selectors = [the(overlay, "Service")["spec"]["selector"], the(overlay, "NetworkPolicy")["spec"]["podSelector"]]
    selectors += [document["spec"]["selector"] for document in documents(overlay) if "Budget" in document["kind"]]
    selectors.append(the(overlay, "Deployment")["spec"]["selector"])
    assert [selector for selector in selectors if selector.get("matchLabels", selector) != labels] == []
    assert labels == {"app.kubernetes.io/name": "mlops-bot"}


@overlays
def test_the_bot_may_do_what_the_engine_does_and_nothing_else(overlay: str):
    role, binding = the(overlay, "Role"), the(overlay, "RoleBinding")

    assert (role["metadata"]["namespace"], binding["metadata"]["namespace"]) == ("kubeflow", "kubeflow")
    assert rules(role) == {
        "pipelines.kubeflow.org/pipelines": ["create", "get", "list"],
        "pipelines.kubeflow.org/pipelines/versions": ["create", "get", "list"],
        "pipelines.kubeflow.org/experiments": ["create", "get", "list"],
        "pipelines.kubeflow.org/runs": ["create", "get", "list", "terminate"],
        "/secrets": ["create", "list", "delete"],
    }
    assert_binds_the_bot(binding, role)


def test_the_bot_may_apply_and_watch_inference_services_where_models_serve():
    role = the("serving-access", "Role")

    services = ["get", "list", "watch", "create", "patch", "delete"]
    assert rules(role) == {"serving.kserve.io/inferenceservices": services}
    assert_binds_the_bot(the("serving-access", "RoleBinding"), role)


def test_the_label_of_one_runs_secrets_is_the_engines():
    from bot.engines.kubeflow_secrets import RUN

    policy = the("overlays/single", "ValidatingAdmissionPolicy")["spec"]

    assert f"'{RUN}' in variables.secret.metadata.labels" in policy["validations"][0]["expression"]
    account = the("overlays/single", "ServiceAccount")["metadata"]
    user = f"system:serviceaccount:{account['namespace']}:{account['name']}"
    assert policy["matchConditions"][0]["expression"] == f"request.userInfo.username == '{user}'"


@overlays
def test_the_network_lets_through_what_the_settings_name(overlay: str):
    policy = the(overlay, "NetworkPolicy")["spec"]
    to_kubeflow = urlsplit(the(overlay, "ConfigMap")["data"]["MLOPS_BOT_KUBEFLOW_URL"])

    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [DEFAULT_PORT]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    to_anyone = {port["port"] for rule in policy["egress"] if "to" not in rule for port in rule["ports"]}
    assert to_anyone == {53, 5353, 443, 6443} | ({5432} if overlay == "overlays/ha" else set())
    (inside,) = [rule for rule in policy["egress"] if "to" in rule]
    assert to_kubeflow.port in [port["port"] for port in inside["ports"]]
    namespace = (to_kubeflow.hostname or "").partition(".")[2]
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    assert inside["to"] == [{"namespaceSelector": selector}]


def test_one_replica_keeps_all_state_on_its_volume_and_ends_before_the_next_begins():
    deployment, claim = the("overlays/single", "Deployment")["spec"], the("overlays/single", "PersistentVolumeClaim")

    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    homes = [volume for volume in pod_spec("overlays/single")["volumes"] if volume["name"] == "home"]
    assert homes == [{"name": "home", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}}]


def test_three_replicas_or_more_are_spread_over_nodes_and_never_all_stopped():
    deployment, scaler = the("overlays/ha", "Deployment"), the("overlays/ha", "HorizontalPodAutoscaler")["spec"]
    budget = the("overlays/ha", "PodDisruptionBudget")["spec"]

    assert "replicas" not in deployment["spec"]
    assert (scaler["minReplicas"], scaler["scaleTargetRef"]["name"]) == (3, deployment["metadata"]["name"])
    assert budget["maxUnavailable"] == 1
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    wishes = pod_spec("overlays/ha")["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert [wish["podAffinityTerm"]["topologyKey"] for wish in wishes] == [
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    ]


def settings_of(overlay: str, folder: Path) -> Settings:
    """What the service makes of the ConfigMap, in a pod with the Secret."""
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    environ = {**the(overlay, "ConfigMap")["data"], **pod, "MLOPS_BOT_HOME": str(folder)}
    for name, path in environ.items():
        if path.startswith(SECRETS):
            file = folder / Path(path).name
            file.write_text(f"content of {file.name}", encoding="utf-8")
            environ[name] = str(file)
    assert SECRETS in [mount["mountPath"] for mount in container(overlay)["volumeMounts"]]
    return load_settings(environ)


def rules(role: Document) -> dict[str, list[str]]:
    return {
        f"{group}/{resource}": rule["verbs"]
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def assert_binds_the_bot(binding: Document, role: Document) -> None:
    account = the("overlays/single", "ServiceAccount")["metadata"]
    who = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    assert binding["subjects"] == [who]
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == ("Role", role["metadata"]["name"])


async def statuses(place: Workplace, paths: list[str]) -> list[int]:
    async with client(place) as http:
        return [(await http.get(path)).status_code for path in paths]
