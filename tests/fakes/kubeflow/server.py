"""An API server of Kubeflow Pipelines at the level of HTTP: experiments, pipelines, versions, runs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from email import message_from_bytes
from typing import Any, Protocol

from tests.fakes.kubeflow import filters
from tests.fakes.kubeflow.description import operation, problems
from tests.fakes.kubeflow.records import NO_TIME, Records, Version, now
from tests.fakes.kubeflow.web import Refusal, Request, Web

API = "/apis/v2beta1"
FINAL = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


class Executor(Protocol):
    """What carries runs out. `look` gives the fields of the run that have changed."""

    def start(self, run: dict[str, Any], version: Version) -> None: ...

    def look(self, run: dict[str, Any]) -> dict[str, Any]: ...

    def terminate(self, run: dict[str, Any]) -> None: ...


class FakeKubeflow:
    """`records` is what it keeps. Without an executor runs stand still: see `put`. `namespace` "" is a Kubeflow without
    users. `close` fails when a request was not as the API's description says."""

    def __init__(
        self,
        *,
        executor: Executor | None = None,
        namespace: str = "",
        tokens: set[str] | None = None,
        checks_answers: bool = True,
    ) -> None:
        self.namespace = namespace
        self.records = Records()
        self._executor = executor
        self._checks_answers = checks_answers
        self._lock = threading.Lock()  # a run is not ended while it is being made
        self.web = Web(self._respond, route_of=_route, tokens=tokens or set())
        self.url = self.web.url

    def close(self) -> None:
        self.web.close()
        assert self.web.violations == []

    # -- for tests
    def run(self, name: str) -> dict[str, Any]:
        """The only run of this name."""
        (found,) = self.named(name)
        return found

    def named(self, name: str) -> list[dict[str, Any]]:
        return [run for run in self.records.runs.values() if run["display_name"] == name]

    def put(self, name: str, state: str, **fields: Any) -> None:
        run = self.run(name)
        run |= {"state": state, **fields}
        run["state_history"].append({"update_time": now(), "state": state})
        if state in FINAL:
            run["finished_at"] = now()

    def delete(self, name: str) -> None:
        """As somebody does by hand."""
        del self.records.runs[self.run(name)["run_id"]]

    # -- HTTP
    def _respond(self, request: Request) -> Any:
        known = operation(request.method, request.path)
        if known is None or not set(request.query) <= known.query:
            raise AssertionError(f"not in the API's description, with {sorted(request.query)}")
        if known.body and request.content:
            wrong = problems(known.body, request.body)
            if wrong:
                raise AssertionError(f"the body is not {known.body}: {wrong}")
        act: Callable[..., Any] = getattr(self, ACTIONS[request.method, known.route])
        answer = act(request, **known.arguments)
        wrong = problems(known.answer, answer) if self._checks_answers else []
        assert not wrong, f"the fake's answer is not {known.answer}: {wrong}"
        return answer

    def _healthz(self, _request: Request) -> Any:
        return {"multi_user": bool(self.namespace), "pipeline_store": "database"}

    # experiments
    def _list_experiments(self, request: Request) -> Any:
        self._check_namespace(request.query.get("namespace", ""))
        return self._page(request, "experiments", list(self.records.experiments.values()))

    def _create_experiment(self, request: Request) -> Any:
        self._check_namespace(request.body.get("namespace", ""))
        return self.records.add_experiment(request.body)

    def _get_experiment(self, _request: Request, experiment_id: str) -> Any:
        return _get(self.records.experiments, experiment_id)

    # pipelines
    def _list_pipelines(self, request: Request) -> Any:
        self._check_namespace(request.query.get("namespace", ""))
        return self._page(request, "pipelines", list(self.records.pipelines.values()))

    def _create_pipeline(self, request: Request) -> Any:
        return self.records.add_pipeline(request.body)

    def _get_pipeline(self, _request: Request, pipeline_id: str) -> Any:
        return _get(self.records.pipelines, pipeline_id)

    def _get_pipeline_by_name(self, _request: Request, name: str) -> Any:
        return _get({one["name"]: one for one in self.records.pipelines.values()}, name)

    def _list_versions(self, request: Request, pipeline_id: str) -> Any:
        _get(self.records.pipelines, pipeline_id)
        versions = [one.document for one in self.records.versions.values() if one.pipeline_id == pipeline_id]
        return self._page(request, "pipeline_versions", versions)

    def _get_version(self, _request: Request, pipeline_id: str, pipeline_version_id: str) -> Any:
        _get(self.records.pipelines, pipeline_id)
        version: Version = _get(self.records.versions, pipeline_version_id)
        return version.document

    def _upload_version(self, request: Request) -> Any:
        message = message_from_bytes(f"Content-Type: {request.content_type}\n\n".encode() + request.content)
        (part,) = message.get_payload()  # type: ignore[misc]  # of a multipart message it is a list
        assert part.get_param("name", header="content-disposition") == "uploadfile"  # type: ignore[union-attr]
        text = part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        return self.records.add_version(request.query["pipelineid"], request.query["name"], text).document

    # runs
    def _list_runs(self, request: Request) -> Any:
        namespace, experiment = request.query.get("namespace", ""), request.query.get("experiment_id", "")
        if not experiment:
            self._check_namespace(namespace)
        runs = [run for run in self.records.runs.values() if experiment in ("", run["experiment_id"])]
        return self._page(request, "runs", runs, shown=self._shown)

    def _create_run(self, request: Request) -> Any:
        body = request.body
        if not body.get("display_name"):
            raise Refusal(400, "The display_name is empty. Please specify a valid name.")
        _get(self.records.experiments, body["experiment_id"])
        reference = body["pipeline_version_reference"]
        version: Version = _get(self.records.versions, reference["pipeline_version_id"])
        assert version.pipeline_id == reference["pipeline_id"]
        with self._lock:
            run = self.records.add_run(body, version)
            if self._executor is not None:
                self._executor.start(run, version)
        return run

    def _get_run(self, _request: Request, run_id: str) -> Any:
        return self._shown(_get(self.records.runs, run_id))

    def _delete_run(self, _request: Request, run_id: str) -> Any:
        _get(self.records.runs, run_id)
        del self.records.runs[run_id]
        return {}

    def _terminate_run(self, _request: Request, run_id: str) -> Any:
        run = self._shown(_get(self.records.runs, run_id))
        if run["state"] in (*FINAL, "CANCELING"):
            raise Refusal(400, f"Failed to terminate run {run_id}: row not found or not in a state to be terminated")
        with self._lock:
            run["state"] = "CANCELING"
            run["state_history"].append({"update_time": now(), "state": "CANCELING"})
            if self._executor is not None:
                self._executor.terminate(run)
        return {}

    def _retry_run(self, _request: Request, run_id: str) -> Any:
        run = self._shown(_get(self.records.runs, run_id))
        if run["state"] != "FAILED":
            raise Refusal(400, "Workflow must be Failed/Error to retry")
        run |= {"state": "RUNNING", "finished_at": NO_TIME}
        return {}

    def _archive_run(self, _request: Request, run_id: str) -> Any:
        _get(self.records.runs, run_id)["storage_state"] = "ARCHIVED"
        return {}

    def _unarchive_run(self, _request: Request, run_id: str) -> Any:
        _get(self.records.runs, run_id)["storage_state"] = "AVAILABLE"
        return {}

    # -- shared
    def _shown(self, run: dict[str, Any]) -> dict[str, Any]:
        if self._executor is not None and run["state"] not in FINAL:
            run |= self._executor.look(run)
        return run

    def _check_namespace(self, namespace: str) -> None:
        if namespace and not self.namespace:
            raise Refusal(400, "In single-user mode, lists can not be filtered by namespace")
        if self.namespace and namespace != self.namespace:
            raise Refusal(400, "In multi-user mode, a namespace is required, and it must be one of yours")

    def _page(
        self,
        request: Request,
        kind: str,
        documents: list[dict[str, Any]],
        *,
        shown: Callable[[dict[str, Any]], dict[str, Any]] = lambda document: document,
    ) -> Any:
        chosen = filters.filtered(kind, documents, request.query.get("filter", ""))
        begin, size = int(request.query.get("page_token") or 0), int(request.query.get("page_size") or 20)
        if not 0 <= size <= 200:
            raise Refusal(400, "The page size should not be greater than 200")
        page: dict[str, Any] = {kind: [shown(one) for one in chosen[begin : begin + size]], "total_size": len(chosen)}
        if begin + size < len(chosen):
            page["next_page_token"] = str(begin + size)
        return page


ACTIONS = {
    ("GET", "/healthz"): "_healthz",
    ("GET", "/experiments"): "_list_experiments",
    ("POST", "/experiments"): "_create_experiment",
    ("GET", "/experiments/{experiment_id}"): "_get_experiment",
    ("GET", "/pipelines"): "_list_pipelines",
    ("POST", "/pipelines"): "_create_pipeline",
    ("GET", "/pipelines/{pipeline_id}"): "_get_pipeline",
    ("GET", "/pipelines/names/{name}"): "_get_pipeline_by_name",
    ("GET", "/pipelines/{pipeline_id}/versions"): "_list_versions",
    ("GET", "/pipelines/{pipeline_id}/versions/{pipeline_version_id}"): "_get_version",
    ("POST", "/pipelines/upload_version"): "_upload_version",
    ("GET", "/runs"): "_list_runs",
    ("POST", "/runs"): "_create_run",
    ("GET", "/runs/{run_id}"): "_get_run",
    ("DELETE", "/runs/{run_id}"): "_delete_run",
    ("POST", "/runs/{run_id}:terminate"): "_terminate_run",
    ("POST", "/runs/{run_id}:retry"): "_retry_run",
    ("POST", "/runs/{run_id}:archive"): "_archive_run",
    ("POST", "/runs/{run_id}:unarchive"): "_unarchive_run",
}


def _get(known: dict[str, Any], key: str) -> Any:
    if key not in known:
        raise Refusal(404, f"ResourceNotFoundError: {key} not found")
    return known[key]


def _route(path: str) -> str:
    for method in ("GET", "POST", "DELETE"):
        known = operation(method, path)
        if known is not None:
            return known.route
    return re.sub(r"^" + API, "", path)
