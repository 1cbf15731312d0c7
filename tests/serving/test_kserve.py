"""KServe on a cluster: one InferenceService for each place, a canary in both dialects, and nothing that lies."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bot.domain.errors import TransientError, UserError
from bot.domain.serving import RevisionState
from tests.fakes.kubernetes.server import FakeKServeCluster
from tests.serving.kserve_kit import ENVIRONMENT, MODEL, V1, V2, V3, kserve, live, seen, wish


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
