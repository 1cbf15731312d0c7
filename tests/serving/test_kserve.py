"""KServe on a cluster: one InferenceService for each place, a canary in both dialects, and nothing that lies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import TransientError, UserError
from bot.domain.serving import RevisionState
from bot.serving.kserve_api import Conflict
from bot.serving.kserve_settings import ClusterAccess
from tests.fakes.kubernetes import fields
from tests.fakes.kubernetes.server import FakeKServeCluster
from tests.serving.kit import Shop
from tests.serving.kserve_kit import ENVIRONMENT, MODEL, V1, V2, V3, kserve, seen, version, wish

# of each kind, the fields that KServe's own model of it lacks, or Kubernetes' where its client here has one
UNKNOWN_FIELDS = """\
import json, sys

import kserve.models
import kubernetes.client.models

for kind, names in json.load(sys.stdin).items():
    models = kserve.models if kind.startswith("V1beta1") else kubernetes.client.models
    model = getattr(models, kind, None)
    if model is None and models is kubernetes.client.models:
        continue
    unknown = sorted(set(names) - set(model.attribute_map.values()))
    if unknown:
        print(kind, *unknown)
"""


@pytest.fixture
def knative() -> Iterator[FakeKServeCluster]:
    cluster = FakeKServeCluster(mode="knative", starts_at_once=False)
    yield cluster
    cluster.close()


@pytest.fixture
def standard() -> Iterator[FakeKServeCluster]:
    cluster = FakeKServeCluster(mode="standard", starts_at_once=False)
    yield cluster
    cluster.close()


def live(cluster: FakeKServeCluster, *revisions: Any) -> None:
    """Each of them had all requests, one after the other."""
    serving = kserve(cluster)
    for revision in revisions:
        serving.apply(wish((revision, 100)))
        cluster.ready()


def test_the_first_version_starts_and_then_answers_all_requests(knative: FakeKServeCluster) -> None:
    serving = kserve(knative)

    serving.apply(wish((V1, 0)))
    starting = serving.observe(ENVIRONMENT, MODEL).revision(V1.id)
    knative.ready()
    ready = serving.observe(ENVIRONMENT, MODEL).revision(V1.id)

    assert (starting.state, starting.address) == (RevisionState.STARTING, "")
    assert starting.message == "PredictorReady: Deployment does not have minimum availability."
    assert (ready.state, ready.percent, ready.message) == (RevisionState.READY, 100, "")
    name = knative.the_one()["metadata"]["name"]
    assert ready.address == f"http://latest-{name}-predictor.models.example.com"
    assert serving.desired(ENVIRONMENT, MODEL) == wish((V1, 100))


def test_what_is_applied_is_all_that_serving_it_needs(knative: FakeKServeCluster) -> None:
    kserve(knative, service_account="models-reader").apply(wish((V1, 100)))

    spec = knative.the_one()["spec"]
    annotations = spec["predictor"].pop("annotations")
    assert spec == {
        "predictor": {
            "minReplicas": 1,
            "serviceAccountName": "models-reader",
            "labels": {
                "mlops-bot/version": "v1.0.0",
                "mlops-bot/sha": V1.sha,
                "mlops-bot/data-sha": V1.data_sha,
                "mlops-bot/digest": f"{1:064x}"[:63],
            },
            "model": {
                "modelFormat": {"name": "sklearn"},
                "runtime": "kserve-sklearnserver",
                "protocolVersion": "v2",
                "storageUri": "s3://bucket/runs/run-1/model",
                "args": ["--model_name=churn"],
                "resources": {
                    "requests": {"cpu": "0.5", "memory": "2147483648"},
                    "limits": {"cpu": "0.5", "memory": "2147483648"},
                },
            },
        }
    }
    assert json.loads(annotations["mlops-bot/revision"])["digest"] == V1.digest


def test_knative_splits_requests_and_restarts_nothing_while_it_does(knative: FakeKServeCluster) -> None:
    live(knative, V1)
    serving = kserve(knative)

    serving.apply(wish((V1, 100), (V2, 0)))
    before = seen(serving, V1, V2)
    knative.ready()
    steps = [seen(serving, V1, V2)]
    for percent in (10, 50):
        serving.apply(wish((V1, 100 - percent), (V2, percent)))
        knative.ready()
        steps.append(seen(serving, V1, V2))
    serving.apply(wish((V1, 0), (V2, 100)))
    knative.ready()

    assert before == [("ready", 100), ("starting", 0)]
    assert steps == [
        [("ready", 100), ("ready", 0)],
        [("ready", 90), ("ready", 10)],
        [("ready", 50), ("ready", 50)],
    ]
    assert seen(serving, V1, V2) == [("gone", 0), ("ready", 100)]
    assert serving.desired(ENVIRONMENT, MODEL) == wish((V2, 100))
    assert knative.controller.started == ["v1.0.0", "v2.0.0"]


def test_each_of_two_knative_revisions_has_an_address(knative: FakeKServeCluster) -> None:
    live(knative, V1)
    serving = kserve(knative)
    serving.apply(wish((V1, 100), (V2, 0)))
    knative.ready()

    observed = serving.observe(ENVIRONMENT, MODEL)

    hosts = [observed.revision(one.id).address.split("-")[0] for one in (V1, V2)]
    assert hosts == ["http://prev", "http://latest"]


def test_a_candidate_is_not_taken_for_ready_because_the_former_version_is(knative: FakeKServeCluster) -> None:
    live(knative, V1, V2)
    serving = kserve(knative)

    serving.apply(wish((V2, 100), (V3, 0)))
    item = knative.the_one()
    component = item["status"]["components"]["predictor"]
    component["latestCreatedRevision"] = component["latestReadyRevision"]  # KServe has not seen the change yet
    item["status"]["conditions"] = [{"type": kind, "status": "True"} for kind in ("PredictorReady", "IngressReady")]

    assert seen(serving, V2, V3) == [("ready", 100), ("starting", 0)]


def test_with_knative_a_candidate_that_is_given_up_gets_no_request_on_its_way_out(knative: FakeKServeCluster) -> None:
    """Without a split, all requests would go to the newest that is ready: the candidate."""
    live(knative, V1)
    serving = kserve(knative)
    serving.apply(wish((V1, 100), (V2, 0)))
    knative.ready()
    serving.apply(wish((V1, 90), (V2, 10)))
    knative.ready()

    serving.apply(wish((V1, 100)))
    traffic = knative.the_one()["status"]["components"]["predictor"]["traffic"]
    given_back = seen(serving, V1, V2)
    knative.ready()
    serving.apply(wish((V1, 100), (V3, 0)))
    knative.ready()

    first = f"{knative.the_one()['metadata']['name']}-predictor-00001"
    assert {target["revisionName"]: target["percent"] for target in traffic if target["percent"]} == {first: 100}
    assert given_back == [("ready", 100), ("gone", 0)]
    assert seen(serving, V1, V3) == [("ready", 100), ("ready", 0)]


def test_with_knative_a_candidate_waits_for_the_version_that_serves(knative: FakeKServeCluster) -> None:
    """KServe would give it all requests."""
    serving = kserve(knative)
    serving.apply(wish((V1, 100)))

    with pytest.raises(TransientError) as early:
        serving.apply(wish((V1, 100), (V2, 0)))
    knative.ready()
    serving.apply(wish((V1, 100), (V2, 0)))

    assert early.value.problem == "v1.0.0, which is to serve beside the new version, does not serve yet."
    assert serving.desired(ENVIRONMENT, MODEL) == wish((V1, 100), (V2, 0))


def test_what_somebody_deleted_is_started_again_before_a_candidate(knative: FakeKServeCluster) -> None:
    serving = kserve(knative)

    with pytest.raises(TransientError, match=r"v1\.0\.0 was gone and is started again"):
        serving.apply(wish((V1, 100), (V2, 0)))

    assert serving.desired(ENVIRONMENT, MODEL) == wish((V1, 100))


def test_standard_mode_has_canaries_with_names_and_promotes_without_a_restart(standard: FakeKServeCluster) -> None:
    live(standard, V1)
    serving = kserve(standard)

    serving.apply(wish((V1, 100), (V2, 0)))
    before = seen(serving, V1, V2)
    standard.ready()
    serving.apply(wish((V1, 80), (V2, 20)))
    split = standard.the_one()["spec"]["canary"][0]["trafficPercent"], seen(serving, V1, V2)
    serving.apply(wish((V1, 0), (V2, 100)))

    assert before == [("ready", 100), ("starting", 0)]
    assert split == (20, [("ready", 80), ("ready", 20)])
    assert seen(serving, V1, V2) == [("gone", 0), ("ready", 100)]
    assert standard.controller.started == ["v1.0.0", "v2.0.0"]


def test_in_standard_mode_each_predictor_is_asked_at_its_own_service(standard: FakeKServeCluster) -> None:
    live(standard, V1)
    serving = kserve(standard)
    serving.apply(wish((V1, 100), (V2, 0)))
    standard.ready()

    spec, name = standard.the_one()["spec"], standard.the_one()["metadata"]["name"]
    observed = serving.observe(ENVIRONMENT, MODEL)

    assert [observed.revision(one.id).address for one in (V1, V2)] == [
        f"http://{name}-{predictor['name']}-predictor.models.svc.cluster.local:8080"
        for predictor in (spec["predictor"], spec["canary"][0]["predictor"])
    ]


def test_in_standard_mode_a_candidate_that_is_given_up_is_taken_out(standard: FakeKServeCluster) -> None:
    live(standard, V1)
    serving = kserve(standard)
    serving.apply(wish((V1, 100), (V2, 0)))

    serving.apply(wish((V1, 100)))

    assert "canary" not in standard.the_one()["spec"]
    assert seen(serving, V1, V2) == [("ready", 100), ("gone", 0)]
    assert standard.controller.started == ["v1.0.0", "v2.0.0"]


def test_a_kserve_that_can_not_try_a_version_beside_another_is_not_touched() -> None:
    cluster = FakeKServeCluster(mode="standard", version="0.19.0")
    serving = kserve(cluster)
    serving.apply(wish((V1, 100)))
    patches = cluster.web.calls["PATCH /apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices/{name}"]

    with pytest.raises(UserError) as refused:
        serving.apply(wish((V1, 100), (V2, 0)))

    assert refused.value.problem == (
        "KServe serves one version at a time here: in Standard mode it can try a new version beside the one that "
        "serves from 0.20 on."
    )
    assert refused.value.fix.endswith("Nothing was changed.")
    assert serving.desired(ENVIRONMENT, MODEL) == wish((V1, 100))
    assert patches == sum(count for call, count in cluster.web.calls.items() if call.startswith("PATCH"))
    cluster.close()


@pytest.mark.parametrize("mode", ["knative", "standard"])
def test_a_model_that_can_not_be_loaded_fails_with_kserves_words_and_the_other_serves_on(mode: str) -> None:
    cluster = FakeKServeCluster(mode=mode, starts_at_once=False)
    live(cluster, V1)
    serving = kserve(cluster)
    serving.apply(wish((V1, 100), (V2, 0)))

    cluster.failed("Traceback …\nModuleNotFoundError: No module named 'lightgbm'")

    observed = serving.observe(ENVIRONMENT, MODEL)
    assert [observed.revision(one.id).state.value for one in (V1, V2)] == ["ready", "failed"]
    assert observed.revision(V2.id).message == "Traceback … ModuleNotFoundError: No module named 'lightgbm'"
    assert observed.revision(V2.id).log_tail == ("Traceback …", "ModuleNotFoundError: No module named 'lightgbm'")
    cluster.close()


def test_what_somebody_else_changed_is_told_and_left_as_it_is(knative: FakeKServeCluster) -> None:
    live(knative, V1)
    name = knative.the_one()["metadata"]["name"]
    knative.edited(name, {"spec": {"predictor": {"minReplicas": 3}}})

    with pytest.raises(Conflict) as conflict:
        kserve(knative).apply(wish((V1, 100), (V2, 0)))

    assert conflict.value.problem == (
        "Somebody else has changed what the bot applies: Apply failed with 1 conflict: conflicts with "
        '"kubectl-edit": .spec.predictor.minReplicas'
    )
    assert knative.the_one()["spec"]["predictor"]["minReplicas"] == 3


def test_what_others_add_stays(knative: FakeKServeCluster) -> None:
    live(knative, V1)
    knative.edited(knative.the_one()["metadata"]["name"], {"spec": {"predictor": {"maxReplicas": 5}}})

    kserve(knative).apply(wish((V1, 100), (V2, 0)))

    assert knative.the_one()["spec"]["predictor"]["maxReplicas"] == 5


def test_an_inference_service_that_is_not_the_bots_is_not_touched(knative: FakeKServeCluster) -> None:
    live(knative, V1)
    name = knative.the_one()["metadata"]["name"]
    knative.edited(name, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}}, manager="helm")

    with pytest.raises(UserError, match=f"InferenceService {name} in models that is not the bot's"):
        kserve(knative).apply(wish((V1, 100), (V2, 0)))

    assert kserve(knative).services() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"storage": "file:///home/bot/artifacts/runs/1/model"}, "which the cluster can not read"),
        ({"storage": "abfs://container/runs/1/model"}, "KServe can not read models from `abfs`"),
        ({"runtime": "python"}, "no image of our own is set up"),
        ({"runtime": "python", "environment": {"image": "acme/model:1"}}, "mlops.yaml names an image"),
    ],
)
def test_what_kserve_can_not_serve_is_refused_in_words(
    knative: FakeKServeCluster, changes: dict[str, Any], words: str
) -> None:
    image = "registry.example.com/runner:1" if "environment" in changes else ""
    with pytest.raises(UserError, match=words) as refused:
        kserve(knative, image=image).apply(wish((version(1, **changes), 100)))

    assert refused.value.fix
    assert knative.items == {}


def test_a_models_own_code_is_served_by_the_runners_image(knative: FakeKServeCluster) -> None:
    own = version(1, runtime="python")
    kserve(knative, image="registry.example.com/runner:1").apply(wish((own, 100)))

    [container] = knative.the_one()["spec"]["predictor"]["containers"]
    told = {one["name"]: one.get("value", "") for one in container["env"]}
    assert (container["name"], container["image"]) == ("kserve-container", "registry.example.com/runner:1")
    assert container["command"] == ["python3", "-m", "pipelines.serving.pod"]
    assert told["STORAGE_URI"] == own.storage
    assert json.loads(told["MLOPS_ORDER"])["sha"] == own.sha
    assert container["readinessProbe"] == {"httpGet": {"path": "/v2/models/churn/ready", "port": 8080}}


def test_the_mode_is_asked_for_where_it_can_not_be_known() -> None:
    cluster = FakeKServeCluster(mode="knative", may_read_config=False)

    with pytest.raises(UserError, match="can not be found out in which mode KServe serves"):
        kserve(cluster).apply(wish((V1, 100)))
    kserve(cluster, mode="knative").apply(wish((V1, 100)))

    assert seen(kserve(cluster), V1) == [("ready", 100)]
    cluster.close()


def test_a_token_that_rotates_is_read_anew_and_one_that_expired_is_told(tmp_path: Path) -> None:
    cluster = FakeKServeCluster(mode="standard", tokens={"first"})
    token = tmp_path / "token"
    token.write_text("first\n")
    serving = kserve(cluster, access=ClusterAccess(cluster.url, token))

    serving.apply(wish((V1, 100)))
    cluster.web.tokens = {"second"}
    with pytest.raises(TransientError) as expired:
        serving.observe(ENVIRONMENT, MODEL)
    token.write_text("second\n")

    assert expired.value.problem == "Kubernetes does not take the bot's token (401)."
    assert expired.value.retry_after_s == 30.0
    assert seen(serving, V1) == [("ready", 100)]
    cluster.close()


def test_a_cluster_that_is_down_or_has_no_kserve_is_told_by_health(standard: FakeKServeCluster) -> None:
    serving = kserve(standard)
    serving.check_health()
    standard.web.fail("GET /apis/serving.kserve.io", status=503)
    with pytest.raises(TransientError, match="Kubernetes answered 503"):
        serving.check_health()
    standard.is_installed = False

    with pytest.raises(TransientError, match="KServe is not installed"):
        kserve(standard).check_health()


def test_what_is_not_allowed_names_the_role_that_is_needed(standard: FakeKServeCluster) -> None:
    serving = kserve(standard)
    standard.namespace = "elsewhere"

    with pytest.raises(UserError) as refused:
        serving.apply(wish((V1, 100)))

    assert 'inferenceservices is forbidden in the namespace "models"' in refused.value.problem
    assert "deploy/kustomize/serving-access" in refused.value.fix


def test_requests_are_not_measured_and_that_is_said(standard: FakeKServeCluster) -> None:
    assert kserve(standard).traffic(ENVIRONMENT, MODEL, V1.id).is_measured is False


def test_the_fake_knows_the_fields_that_kserves_own_models_know(shop: Shop) -> None:
    """It refuses all others, so whatever these tests apply is known to KServe."""
    content = json.loads((Path(fields.__file__).with_name("kserve_fields.json")).read_text())
    known = {kind: list(names) for kind, names in {**content["both"], **content["0.21.0"]}.items()}

    done = subprocess.run(
        [str(shop.python), "-c", UNKNOWN_FIELDS], input=json.dumps(known), capture_output=True, text=True, check=True
    )

    assert done.stdout == ""
