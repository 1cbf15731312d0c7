"""`python -m tests.bench.kubeflow_server RUNS`: a Kubeflow on which so many runs go on, until its input ends."""

from __future__ import annotations

import sys

from bot import logs
from tests.engines.kubeflow_kit import Cluster, training
from tests.fakes.kubeflow.kubernetes import FakeKubernetes
from tests.fakes.kubeflow.records import NO_TIME, now
from tests.fakes.kubeflow.server import FakeKubeflow

# what Kubeflow lists of a run in its second step: for each step a driver and an executor, too
TASKS = (
    "root",
    "root-driver",
    "exit-handler-1-driver",
    "steps",
    "fetch-driver",
    "fetch",
    "executor",
    "train-driver",
    "train",
)


def main(count: int) -> None:
    logs.configure(json_lines=False, secrets=())
    with Cluster(FakeKubeflow(checks_answers=False), FakeKubernetes()).running() as cluster:
        first = training(0).run_id
        cluster.engine().submit(training(0))
        for number in range(1, count):
            cluster.add_run_like(first, training(number).run_id)
        for run in cluster.kubeflow.records.runs.values():
            run |= {"state": "RUNNING", "run_details": {"task_details": [_task(name, run["run_id"]) for name in TASKS]}}
        print(cluster.kubeflow.url, cluster.kubernetes.url, flush=True)
        sys.stdin.read()


def _task(name: str, run_id: str) -> dict[str, object]:
    return {
        "run_id": run_id,
        "task_id": f"{run_id}-{name}",
        "display_name": name,
        "create_time": now(),
        "start_time": now(),
        "end_time": NO_TIME,
        "state": "RUNNING" if name in ("root", "steps", "train") else "SUCCEEDED",
        "state_history": [{"update_time": now(), "state": "RUNNING"}],
        "child_tasks": [{"pod_name": f"train-model-{run_id[:5]}-{name}"}],
    }


if __name__ == "__main__":
    main(int(sys.argv[1]))
