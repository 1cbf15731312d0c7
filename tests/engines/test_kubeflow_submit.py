"""A run is started once on Kubeflow, whatever goes wrong, and shows no secret there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.errors import TransientError, UserError
from bot.domain.run import EngineState
from bot.engines.kubeflow import KubeflowEngine
from bot.ports.engine import Submission
from tests.engines.kubeflow_kit import TOKEN, Clock, Cluster, one, training
from tests.fakes.kubeflow.kubernetes import FakeKubernetes
from tests.fakes.kubeflow.server import FakeKubeflow

CREATE = "POST /apis/v2beta1/runs"


def test_a_create_that_worked_and_was_answered_504_is_found_again_and_exists_once(
    cluster: Cluster, on_cluster: KubeflowEngine
):
    run = training()
    cluster.kubeflow.web.fail(CREATE, status=504, does_it=True)

    with pytest.raises(TransientError, match="Kubeflow answered 504") as raised:
        on_cluster.submit(run)
    on_cluster.submit(run)

    assert raised.value.retry_after_s >= 10, "longer than a call may take"
    assert one(on_cluster, run.run_id).state is EngineState.PENDING
    assert len(cluster.kubeflow.named(run.run_id)) == 1


def test_a_create_that_worked_without_an_answer_is_found_again(cluster: Cluster):
    engine, run = cluster.engine(read_timeout_s=0.2), training()
    engine.observe([run.run_id])
    cluster.kubeflow.web.fail(CREATE, hangs=True, does_it=True)

    with pytest.raises(TransientError, match="Kubeflow did not answer"):
        engine.submit(run)
    engine.submit(run)

    assert len(cluster.kubeflow.named(run.run_id)) == 1


def test_of_two_runs_that_a_late_create_left_the_older_counts_and_the_other_is_ended(
    cluster: Cluster, on_cluster: KubeflowEngine
):
    run = training()
    cluster.kubeflow.web.fail(CREATE, status=504)
    with pytest.raises(TransientError):
        on_cluster.submit(run)
    on_cluster.submit(run)
    first = cluster.kubeflow.run(run.run_id)
    cluster.add_run_like(run.run_id, run.run_id)
    late = cluster.kubeflow.named(run.run_id)[1]

    seen = one(on_cluster, run.run_id)

    assert seen.state is EngineState.PENDING
    assert (first["state"], late["state"]) == ("PENDING", "CANCELING")


def test_a_run_that_can_not_be_taken_is_told_to_its_author(cluster: Cluster, on_cluster: KubeflowEngine):
    with pytest.raises(UserError, match="The cluster does not take this run: parameters: unknown"):
        on_cluster.submit(training(surprise="x"))
    with pytest.raises(UserError, match="a run can be given 100,000"):
        on_cluster.submit(training(params={"text": "x" * 100_000}))

    assert cluster.kubeflow.records.runs == {}


def test_what_somebody_deleted_on_kubeflow_is_made_again(cluster: Cluster, on_cluster: KubeflowEngine):
    on_cluster.submit(training(1))
    cluster.kubeflow.records.experiments.clear()
    cluster.kubeflow.records.versions.clear()
    cluster.kubeflow.records.pipelines.clear()

    on_cluster.submit(training(2))

    assert one(on_cluster, training(2).run_id).state is EngineState.PENDING


def test_a_namespace_that_is_not_there_is_told(cluster: Cluster):
    with pytest.raises(UserError, match="The cluster does not take this run: the server could not find"):
        cluster.engine(namespace="elsewhere").submit(training())


@pytest.mark.parametrize(("content", "trouble"), [(b"", ""), (b"a\nb", "more than one line"), (b"\xff", "not ASCII")])
def test_a_token_that_can_not_be_sent_is_told_without_it(
    cluster: Cluster, tmp_path: Path, content: bytes, trouble: str
):
    token = tmp_path / "token"
    if content:
        token.write_bytes(content)

    with pytest.raises(TransientError, match=trouble or "No such file"):
        cluster.engine(token_file=token).check_health()


def test_runs_of_one_model_share_a_version_and_those_of_a_repository_an_experiment(
    cluster: Cluster, on_cluster: KubeflowEngine
):
    on_cluster.submit(training(1))
    cluster.engine().submit(training(2, params={"trees": 300}, sha="f" * 40))
    on_cluster.submit(training(3, train={"run": "python train.py", "timeout_s": 60, "memory_bytes": None, "cpu": 4.0}))

    records = cluster.kubeflow.records
    used = [run["pipeline_version_reference"]["pipeline_version_id"] for run in records.runs.values()]
    assert (used[0] == used[1], used[0] == used[2], len(records.versions)) == (True, False, 2)
    assert [one["display_name"] for one in records.experiments.values()] == ["github/acme/churn"]
    assert [one["display_name"] for one in records.pipelines.values()] == ["mlops-bot-train"]
    assert all("pipeline_spec" not in run for run in records.runs.values()), "lists would echo it"


def test_a_kubeflow_with_users_is_asked_in_the_namespace_and_with_the_newest_token(clock: Clock, tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("first\n")
    kubeflow = FakeKubeflow(namespace="team-a", tokens={"first"})
    with Cluster(kubeflow, FakeKubernetes(namespace="team-a"), clock).running() as cluster:
        engine = cluster.engine(namespace="team-a", token_file=token)
        engine.check_health()
        engine.submit(training())
        kubeflow.web.tokens = {"second"}

        with pytest.raises(TransientError, match=r"refuses the bot's token \(401\)"):
            one(engine, training().run_id)
        token.write_text("second\n")

        assert one(engine, training().run_id).state is EngineState.PENDING
        assert [one["namespace"] for one in kubeflow.records.experiments.values()] == ["team-a"]


def test_the_tokens_lie_in_a_secret_of_the_run_and_nowhere_on_kubeflow(cluster: Cluster, on_cluster: KubeflowEngine):
    run = training()
    on_cluster.submit(run)
    records = cluster.kubeflow.records
    shown = json.dumps([list(records.runs.values()), [one.package for one in records.versions.values()]])

    held = cluster.kubernetes.value(run.run_id, "MLOPS_BOT_CALLBACK_TOKEN")
    cluster.kubeflow.put(run.run_id, "SUCCEEDED")
    on_cluster.observe([run.run_id])

    assert held == TOKEN
    assert TOKEN not in shown
    assert cluster.kubernetes.secrets == {}, "removed with the run's end"


def test_the_forges_token_stays_with_the_bot_unless_the_cluster_can_not_reach_it(cluster: Cluster):
    credentials = json.dumps({"https://github.com/acme/churn.git": {"username": "x", "password": "forge-token"}})
    secrets = {"MLOPS_BOT_CALLBACK_TOKEN": TOKEN, "MLOPS_BOT_GIT_CREDENTIALS": credentials}
    one_run, other = (replace(training(number), secrets=secrets) for number in (1, 2))

    cluster.engine().submit(one_run)
    cluster.engine(exchanges_credentials=False).submit(other)

    exchange = cluster.kubernetes.value(one_run.run_id, "MLOPS_BOT_GIT_CREDENTIALS")
    assert json.loads(exchange) == {"exchange": f"{one_run.arguments['callback_url']}/credentials"}
    assert cluster.kubernetes.value(other.run_id, "MLOPS_BOT_GIT_CREDENTIALS") == credentials


def test_secrets_that_were_left_are_swept_when_their_run_is_over_or_never_began(
    cluster: Cluster, on_cluster: KubeflowEngine, clock: Clock
):
    active, over = training(1), training(2)
    for run in (active, over):
        on_cluster.submit(run)
    cluster.kubeflow.put(over.run_id, "SUCCEEDED")
    cluster.kubernetes.secrets["run-never-began"] = {**cluster.kubernetes.secrets[over.run_id]}
    cluster.kubernetes.secrets["run-never-began"]["metadata"] = {
        **cluster.kubernetes.secrets[over.run_id]["metadata"],
        "name": "run-never-began",
    }
    clock.now = datetime.now(UTC) + timedelta(hours=2)

    assert cluster.engine().prune(timedelta(days=7)) == 2
    assert list(cluster.kubernetes.secrets) == [active.run_id]


def test_without_a_place_for_secrets_a_run_that_needs_none_goes_without_callback(cluster: Cluster):
    engine, run = cluster.engine(kubernetes_url=""), training()
    needy = Submission("run-00000000000000ff", "train", training(255).arguments, {"WANDB_API_KEY": "key-of-wandb"})

    engine.submit(run)
    with pytest.raises(UserError, match="no place on the cluster to put them"):
        engine.submit(needy)

    assert one(engine, run.run_id).state is EngineState.PENDING
    assert cluster.kubernetes.made == []
