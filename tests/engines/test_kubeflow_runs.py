"""What Kubeflow says of runs, and what is made of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bot.domain.errors import TransientError
from bot.domain.run import EngineState
from bot.engines.kubeflow import KubeflowEngine
from tests.engines.kit import states
from tests.engines.kubeflow_kit import Clock, Cluster, one, training
from tests.fakes.kubeflow.records import NO_TIME, error_of

LIST = "GET /apis/v2beta1/runs"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("RUNTIME_STATE_UNSPECIFIED", EngineState.PENDING),
        ("PENDING", EngineState.PENDING),
        ("RUNNING", EngineState.RUNNING),
        ("PAUSED", EngineState.RUNNING),
        ("CANCELING", EngineState.RUNNING),
        ("SUCCEEDED", EngineState.SUCCEEDED),
        ("SKIPPED", EngineState.SUCCEEDED),
        ("FAILED", EngineState.FAILED),
        ("CANCELED", EngineState.CANCELED),
    ],
)
def test_each_state_of_kubeflow_has_its_meaning(
    cluster: Cluster, on_cluster: KubeflowEngine, theirs: str, ours: EngineState
):
    run = training()
    on_cluster.submit(run)

    cluster.kubeflow.put(run.run_id, theirs)

    assert one(on_cluster, run.run_id).state is ours


def test_steps_are_told_from_the_tasks_and_those_that_never_began_are_skipped_at_the_end(
    cluster: Cluster, on_cluster: KubeflowEngine
):
    run = training()
    on_cluster.submit(run)
    tasks = [
        {"display_name": "root-driver", "state": "SUCCEEDED"},
        {"display_name": "fetch", "state": "SUCCEEDED", "start_time": "2026-11-25T08:00:01Z"},
        {"display_name": "train", "create_time": "2026-11-25T08:00:03Z", "state": "FAILED"},
        {"display_name": "train", "create_time": "2026-11-25T08:01:03Z", "state": "RUNNING", "end_time": NO_TIME},
    ]
    cluster.kubeflow.put(run.run_id, "RUNNING", run_details={"task_details": tasks})
    running = one(on_cluster, run.run_id)
    tasks[3] |= {"state": "FAILED", "error": error_of("OOMKilled (exit code 137)")}
    cluster.kubeflow.put(run.run_id, "FAILED")
    failed = one(on_cluster, run.run_id)

    assert states(running) == {"fetch": "succeeded", "train": "running", "evaluate": "pending", "report": "pending"}
    assert running.steps[0].started_at == datetime(2026, 11, 25, 8, 0, 1, tzinfo=UTC)
    assert running.steps[1].ended_at is None
    assert states(failed) == {"fetch": "succeeded", "train": "failed", "evaluate": "skipped", "report": "skipped"}
    assert failed.reason == "Kubeflow: OOMKilled (exit code 137)"


def test_a_terminated_run_that_argo_calls_failed_is_canceled(cluster: Cluster, on_cluster: KubeflowEngine):
    run = training()
    on_cluster.submit(run)
    cluster.kubeflow.put(run.run_id, "RUNNING")

    on_cluster.cancel(run.run_id)
    on_cluster.cancel(run.run_id)
    cluster.kubeflow.put(run.run_id, "FAILED")

    assert one(on_cluster, run.run_id).state is EngineState.CANCELED
    assert cluster.kubeflow.web.calls["POST /runs/{run_id}:terminate"] == 1


def test_many_runs_take_one_call_for_each_two_hundred(cluster: Cluster, on_cluster: KubeflowEngine):
    on_cluster.submit(training(0))
    names = [cluster.add_run_like(training(0).run_id, training(number).run_id) for number in range(1, 450)]
    on_cluster.observe(names)
    cluster.kubeflow.web.calls.clear()

    seen = on_cluster.observe([training(0).run_id, *names])

    assert {run.state for run in seen.values()} == {EngineState.PENDING}
    assert cluster.kubeflow.web.calls == {"GET /runs": 3}


def test_a_restarted_bot_finds_runs_by_name_once_and_then_by_kubeflows_own_ids(
    cluster: Cluster, on_cluster: KubeflowEngine
):
    run = training()
    on_cluster.submit(run)
    again = cluster.engine()

    first, second = one(again, run.run_id), one(again, run.run_id)

    assert first == second
    assert first.state is EngineState.PENDING


def test_a_run_that_somebody_deleted_is_unknown_after_a_second_look(
    cluster: Cluster, on_cluster: KubeflowEngine, clock: Clock
):
    run = training()
    on_cluster.submit(run)
    cluster.kubeflow.put(run.run_id, "RUNNING")
    one(on_cluster, run.run_id)
    cluster.kubeflow.delete(run.run_id)

    first = one(on_cluster, run.run_id)
    clock.pass_s(5)
    second = one(on_cluster, run.run_id)

    assert (first.state, second.state) == (EngineState.RUNNING, EngineState.UNKNOWN)
    assert cluster.kubernetes.secrets == {}


def test_a_run_that_is_not_listed_yet_is_waited_for(cluster: Cluster, on_cluster: KubeflowEngine, clock: Clock):
    run = training()
    on_cluster.submit(run)
    hidden = cluster.kubeflow.records.runs.copy()
    cluster.kubeflow.records.runs.clear()

    before = one(on_cluster, run.run_id)
    cluster.kubeflow.records.runs.update(hidden)
    clock.pass_s(5)

    assert before.state is EngineState.PENDING
    assert one(on_cluster, run.run_id).state is EngineState.PENDING


def test_a_run_that_was_archived_by_hand_goes_on_being_seen(cluster: Cluster, on_cluster: KubeflowEngine):
    run = training()
    on_cluster.submit(run)

    cluster.kubeflow.run(run.run_id)["storage_state"] = "ARCHIVED"

    assert one(on_cluster, run.run_id).state is EngineState.PENDING


@pytest.mark.parametrize(("status", "words"), [(500, "answered 500"), (503, "answered 503"), (429, "too often")])
def test_an_api_server_in_trouble_delays(cluster: Cluster, on_cluster: KubeflowEngine, status: int, words: str):
    run = training()
    on_cluster.submit(run)
    cluster.kubeflow.web.fail(LIST, status=status)

    with pytest.raises(TransientError, match=words):
        on_cluster.observe([run.run_id])

    assert one(on_cluster, run.run_id).state is EngineState.PENDING


def test_a_slow_list_is_given_up(cluster: Cluster):
    engine = cluster.engine(read_timeout_s=0.2)
    cluster.kubeflow.web.fail(LIST, hangs=True)

    with pytest.raises(TransientError, match="Kubeflow did not answer"):
        engine.observe(["run-0123456789abcdef"])


def test_a_server_that_is_down_fails_the_health_check_with_its_name(cluster: Cluster):
    engine = cluster.engine(url="http://127.0.0.1:9")

    with pytest.raises(TransientError, match="Kubeflow can not be reached"):
        engine.check_health()


def test_a_cancel_that_kubeflow_did_not_carry_through_is_asked_for_again(cluster: Cluster, on_cluster: KubeflowEngine):
    run = training()
    on_cluster.submit(run)
    cluster.kubeflow.put(run.run_id, "CANCELING")  # so it writes first, and then tells the workflow, which went wrong

    on_cluster.cancel(run.run_id)
    on_cluster.cancel(run.run_id)

    assert cluster.kubeflow.web.calls["POST /runs/{run_id}:terminate"] == 1
    assert one(on_cluster, run.run_id).state is EngineState.RUNNING


def test_a_failure_leads_to_kubeflows_own_page(cluster: Cluster):
    engine, run = cluster.engine(ui_url="https://kubeflow.example.com/pipeline"), training()
    engine.submit(run)

    cluster.kubeflow.put(run.run_id, "FAILED", error=error_of("Pod was evicted: the node was low on memory"))

    page = f"https://kubeflow.example.com/pipeline/#/runs/details/{cluster.kubeflow.run(run.run_id)['run_id']}"
    assert one(engine, run.run_id).reason == f"Kubeflow: Pod was evicted: the node was low on memory. See {page}"


def test_an_end_is_told_even_while_kubernetes_does_not_answer(cluster: Cluster, on_cluster: KubeflowEngine):
    run = training()
    on_cluster.submit(run)
    cluster.kubeflow.put(run.run_id, "SUCCEEDED")
    cluster.kubernetes.web.fail("DELETE", status=503)

    assert one(on_cluster, run.run_id).state is EngineState.SUCCEEDED
    assert list(cluster.kubernetes.secrets) == [run.run_id], "left to be swept"
