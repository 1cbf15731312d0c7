"""KServe on a cluster: what is refused, who else writes there, and how the cluster is found out about."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import TransientError, UserError
from bot.serving.kserve_api import Conflict
from bot.serving.kserve_settings import ClusterAccess
from tests.fakes.kubernetes import fields
from tests.fakes.kubernetes.server import FakeKServeCluster
from tests.serving.kit import Shop
from tests.serving.kserve_kit import ENVIRONMENT, MODEL, V1, V2, kserve, live, seen, version, wish

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
