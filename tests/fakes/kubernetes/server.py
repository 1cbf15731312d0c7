"""InferenceServices of a Kubernetes API server, and the KServe that looks after them when a test says so."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from tests.fakes.kubeflow.web import Refusal, Request, Web
from tests.fakes.kubernetes.applying import Conflicts, Path, applied
from tests.fakes.kubernetes.controller import Controller
from tests.fakes.kubernetes.fields import problems
from tests.fakes.kubernetes.webhook import refusals

_OBJECT = re.compile(r"/apis/serving\.kserve\.io/v1beta1/namespaces/([^/]+)/inferenceservices(?:/([^/]+))?")
_SCHEMA = "/openapi/v3/apis/serving.kserve.io/v1beta1"
_CONFIG = "/api/v1/namespaces/kserve/configmaps/inferenceservice-config"


class FakeKServeCluster:
    """`mode` is `knative` or `standard`; `version` is KServe's: 0.21.0, or 0.19.0, whose Standard mode has no canaries.
    `may_read_config` is a right that bots need not have. With `starts_at_once` what is applied is ready as soon as
    KServe can make it so; else a test says `ready` or `failed`."""

    def __init__(
        self,
        *,
        mode: str,
        version: str = "0.21.0",
        namespace: str = "models",
        tokens: set[str] | None = None,
        may_read_config: bool = True,
        starts_at_once: bool = True,
    ) -> None:
        self.namespace = namespace
        self.version = version
        self.may_read_config = may_read_config
        self.is_installed = True
        self.items: dict[str, dict[str, Any]] = {}
        self.controller = Controller(mode, starts_at_once=starts_at_once)
        self._owners: dict[str, dict[Path, set[str]]] = {}
        self._lock = threading.Lock()
        self._version = 0
        self.web = Web(
            self._respond,
            route_of=lambda path: re.sub(r"(inferenceservices)/.*", r"\1/{name}", path),
            tokens=tokens or set(),
        )
        self.url = self.web.url

    def close(self) -> None:
        self.web.close()
        assert self.web.violations == []

    # -- for tests
    def the_one(self) -> dict[str, Any]:
        [item] = self.items.values()
        return item

    def ready(self) -> None:
        """What was applied last comes up, everywhere."""
        with self._lock:
            for item in self.items.values():
                self.controller.ready(item)

    def failed(self, words: str) -> None:
        """What was applied last can not load its model."""
        with self._lock:
            for item in self.items.values():
                self.controller.failed(item, words)

    def edited(self, name: str, said: dict[str, Any], *, manager: str = "kubectl-edit") -> None:
        """Somebody else changes fields."""
        with self._lock:
            self.items[name] = applied(self.items[name], said, manager=manager, owners=self._owners[name], force=True)

    def deleted(self, name: str) -> None:
        """Somebody else removes it."""
        with self._lock:
            self._delete(name)

    # -- HTTP
    def _respond(self, request: Request) -> Any:
        with self._lock:
            found = _OBJECT.fullmatch(request.path)
            if not found:
                return self._about(request.path)
            if found[1] != self.namespace:
                raise Refusal(403, f'inferenceservices is forbidden in the namespace "{found[1]}"')
            if found[2] is None:
                return self._list(request)
            return self._one(request, found[2])

    def _about(self, path: str) -> Any:
        if path == "/apis":
            groups = ["apps", *(["serving.kserve.io"] if self.is_installed else [])]
            groups += ["serving.knative.dev"] if self.controller.mode == "knative" else []
            return {"kind": "APIGroupList", "groups": [{"name": name} for name in groups]}
        if path == _SCHEMA:
            names = ["predictor", *([] if self.version == "0.19.0" else ["canary"])]
            item = {"properties": {"spec": {"properties": {key: {"type": "object"} for key in names}}}}
            return {"components": {"schemas": {"io.kserve.serving.v1beta1.InferenceService": item}}}
        if path == _CONFIG:
            if not self.may_read_config:
                raise Refusal(403, 'configmaps "inferenceservice-config" is forbidden')
            words = {"knative": "Serverless", "standard": "RawDeployment"}
            return {"data": {"deploy": json.dumps({"defaultDeploymentMode": words[self.controller.mode]})}}
        raise Refusal(404, "the server could not find the requested resource")

    def _list(self, request: Request) -> Any:
        assert request.method == "GET", request.method
        name, _, value = request.query["labelSelector"].partition("=")
        chosen = [one for one in self.items.values() if one["metadata"].get("labels", {}).get(name) == value]
        begin, limit = int(request.query.get("continue", 0)), int(request.query["limit"])
        metadata = {"continue": str(begin + limit)} if begin + limit < len(chosen) else {}
        return {"kind": "InferenceServiceList", "metadata": metadata, "items": chosen[begin : begin + limit]}

    def _one(self, request: Request, name: str) -> Any:
        if request.method == "PATCH":
            return self._apply(request, name)
        if name not in self.items:
            raise Refusal(404, f'inferenceservices.serving.kserve.io "{name}" not found')
        if request.method == "DELETE":
            return {"kind": "Status", "status": "Success", "details": self._delete(name)["metadata"]}
        assert request.method == "GET", request.method
        return self.items[name]

    def _delete(self, name: str) -> dict[str, Any]:
        self._owners.pop(name)
        self.controller.forget(name)
        return self.items.pop(name)

    def _apply(self, request: Request, name: str) -> Any:
        if request.content_type != "application/apply-patch+yaml":
            raise Refusal(415, f"the body of the request was in an unknown format: {request.content_type}")
        manager = request.query.get("fieldManager")
        if not manager:
            raise Refusal(422, "PatchOptions.fieldManager: Required value: is required for apply patch")
        said = json.loads(request.content)
        self._check(said, name, strict=request.query.get("fieldValidation") == "Strict")
        before = self.items.get(name, {"metadata": {"name": name, "generation": 0}})
        wanted = said["metadata"].get("resourceVersion")
        if wanted is not None and wanted != before["metadata"].get("resourceVersion"):
            raise Refusal(409, "the object has been modified; please apply your changes to the latest version")
        owners = self._owners.setdefault(name, {})
        force = request.query.get("force") == "true"
        try:
            item = applied(before, said, manager=manager, owners=owners, force=force)
        except Conflicts as conflicts:
            raise Refusal(409, str(conflicts)) from None
        return self._store(before, item, said)

    def _store(self, before: dict[str, Any], item: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        refused = refusals(item, mode=self.controller.mode)
        if refused:
            raise Refusal(400, f"admission webhook denied the request: {'; '.join(refused)}")
        item |= {"apiVersion": said["apiVersion"], "kind": said["kind"]}
        item["metadata"] |= {"namespace": self.namespace}
        if item.get("spec") != before.get("spec"):
            item["metadata"]["generation"] = before["metadata"]["generation"] + 1
        if item != before:
            self._version += 1
            item["metadata"]["resourceVersion"] = str(self._version)
        self.items[item["metadata"]["name"]] = item
        self.controller.reconcile(item)
        return item

    def _check(self, said: dict[str, Any], name: str, *, strict: bool) -> None:
        assert (said["apiVersion"], said["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
        if said["metadata"]["name"] != name or said["metadata"].get("namespace", self.namespace) != self.namespace:
            raise Refusal(400, "the name of the object does not match the name on the URL")
        for value in said["metadata"].get("labels", {}).values():
            assert re.fullmatch(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", value), value
        metadata = {key: value for key, value in said["metadata"].items() if key != "resourceVersion"}
        wrong = problems(said | {"metadata": metadata}, version=self.version)
        if wrong and strict:
            raise Refusal(400, f"strict decoding error: {', '.join(wrong)}")
