"""Kubeflow Pipelines' own API, v2beta1, as far as the engine needs it.

Plain JSON, without kfp's client, whose models take fifty times the processor time to read a list of runs, and whose
import takes 0.4 s and 70 MB."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

import structlog

from bot.domain.errors import TransientError
from bot.engines.kubeflow_http import Connection, Refused

API = "/apis/v2beta1"
RUNS_A_CALL = 200  # the most that the server gives on a page
NAME_CHARACTERS = 100

Json = Mapping[str, Any]

log = structlog.get_logger()


class KubeflowApi:
    """Thread-safe. What it learned of pipelines, versions and experiments it keeps; `forget` when they have gone."""

    def __init__(self, connection: Connection, *, namespace: str) -> None:
        self._connection = connection
        self._configured_namespace = namespace
        self._namespace: str | None = None
        self._known: dict[tuple[str, ...], str] = {}
        self._lock = threading.Lock()  # of two threads that need the same new thing, one makes it

    def check_health(self) -> None:
        """Also whether the bot may look at runs: `healthz` answers everybody."""
        self._healthz()
        self._ask("GET", "runs", query={"namespace": self.namespace, "page_size": 1})

    @property
    def namespace(self) -> str:
        """ "" for a Kubeflow without users, which refuses to be told one."""
        if self._namespace is None:
            self._namespace = self._configured_namespace if self._healthz().get("multi_user") else ""
        return self._namespace

    # -- runs
    def runs(self, key: str, values: Sequence[str]) -> Iterator[Json]:
        """Those whose `key` (`run_id` or `display_name`) is one of the values: a call for each 200 of them."""
        for chunk in _chunks(values, RUNS_A_CALL):
            wanted = {"operation": "IN", "key": key, "string_values": {"values": chunk}}
            yield from self._pages("runs", "runs", wanted)

    def create_run(self, run: Json) -> Json:
        return self._ask("POST", "runs", body=run)

    def terminate_run(self, kubeflow_id: str) -> None:
        self._ask("POST", f"runs/{kubeflow_id}:terminate", body={})

    # -- what runs belong to
    def experiment(self, name: str) -> str:
        """Gives its id, made on first use."""
        return self._kept(("experiment", name), lambda: self._experiment(name))

    def version(self, pipeline: str, package: str) -> tuple[str, str]:
        """Gives the ids of a pipeline and of its version with exactly this package, uploaded on first use."""
        digest = sha256(package.encode()).hexdigest()
        pipeline_id = self._kept(("pipeline", pipeline), lambda: self._pipeline(pipeline))
        version_id = self._kept(("version", digest), lambda: self._version(pipeline_id, digest[:40], package))
        return pipeline_id, version_id

    def forget(self) -> None:
        """Look everything up again: somebody may have deleted it."""
        with self._lock:
            self._known.clear()

    def _kept(self, key: tuple[str, ...], find: Callable[[], str]) -> str:
        with self._lock:
            if key not in self._known:
                self._known[key] = find()
            return self._known[key]

    def _experiment(self, name: str) -> str:
        shown = name if len(name) <= NAME_CHARACTERS else f"{name[:80]}-{sha256(name.encode()).hexdigest()[:16]}"
        wanted = {"operation": "EQUALS", "key": "display_name", "string_value": shown}

        def find() -> str | None:
            found = self._pages("experiments", "experiments", wanted)
            available = (one for one in found if one.get("storage_state") != "ARCHIVED")
            return next((str(one["experiment_id"]) for one in available), None)

        body = {"display_name": shown, "description": "Runs of mlops-bot"}
        if self.namespace:
            body["namespace"] = self.namespace
        return self._found_or_made(find, lambda: self._ask("POST", "experiments", body=body)["experiment_id"])

    def _pipeline(self, name: str) -> str:
        def find() -> str | None:
            try:
                return str(self._ask("GET", f"pipelines/names/{name}", query=self._of_namespace)["pipeline_id"])
            except Refused as error:
                if error.status == 404:
                    return None
                raise

        body = {"display_name": name, "name": name, **self._of_namespace}
        return self._found_or_made(find, lambda: self._ask("POST", "pipelines", body=body)["pipeline_id"])

    def _version(self, pipeline_id: str, name: str, package: str) -> str:
        wanted = {"operation": "EQUALS", "key": "name", "string_value": name}

        def find() -> str | None:
            found = self._pages(f"pipelines/{pipeline_id}/versions", "pipeline_versions", wanted)
            return next((str(one["pipeline_version_id"]) for one in found), None)

        def upload() -> str:
            query = {"name": name, "display_name": name, "pipelineid": pipeline_id}
            made = self._ask("POST", "pipelines/upload_version", query=query, upload=package.encode())
            log.info("pipeline_version_uploaded", pipeline_id=pipeline_id, version=name)
            return str(made["pipeline_version_id"])

        return self._found_or_made(find, upload)

    def _found_or_made(self, find: Callable[[], str | None], make: Callable[[], str]) -> str:
        """Another replica may make it at the same time: names are unique, and the second is told so."""
        found = find()
        if found is not None:
            return found
        try:
            return str(make())
        except Refused as error:
            if error.status != 409:
                raise
        made_by_another = find()
        if made_by_another is None:
            raise TransientError("Kubeflow says that something exists which it does not show.")
        return made_by_another

    # -- asking
    @property
    def _of_namespace(self) -> dict[str, str]:
        return {"namespace": self.namespace} if self.namespace else {}

    def _healthz(self) -> Json:
        return self._ask("GET", "healthz")

    def _pages(self, path: str, name: str, predicate: Json) -> Iterator[Json]:
        query: dict[str, str | int] = {
            "page_size": RUNS_A_CALL,
            "filter": json.dumps({"predicates": [predicate]}, separators=(",", ":")),
        }
        if not path.startswith("pipelines/"):
            query |= self._of_namespace
        while True:
            page = self._ask("GET", path, query=query)
            yield from page.get(name) or ()
            token = page.get("next_page_token")
            if not token:
                return
            query["page_token"] = token

    def _ask(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        return self._connection.ask(method, f"{API}/{path}", **what)


def _chunks(values: Sequence[str], size: int) -> Iterator[list[str]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
