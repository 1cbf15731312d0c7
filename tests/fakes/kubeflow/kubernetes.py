"""Secrets of a Kubernetes API server, as far as the bot asks for them."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

from tests.fakes.kubeflow.web import Refusal, Request, Web

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class FakeKubernetes:
    """`secrets` by name; `made` are all that ever were, in their order."""

    def __init__(self, *, namespace: str = "kubeflow", tokens: set[str] | None = None) -> None:
        self.namespace = namespace
        self.secrets: dict[str, dict[str, Any]] = {}
        self.made: list[dict[str, Any]] = []
        self.web = Web(self._respond, route_of=self._route_of, tokens=tokens or set())
        self.url = self.web.url

    def close(self) -> None:
        self.web.close()
        assert self.web.violations == []

    def value(self, secret: str, key: str) -> str:
        """As a pod is given it."""
        try:
            return b64decode(self.secrets[secret]["data"][key]).decode()
        except KeyError:
            raise LookupError(f'couldn\'t find key {key} in Secret "{self.namespace}/{secret}"') from None

    def given(self, key: str) -> list[str]:
        """All that this key ever held."""
        return [b64decode(one["data"][key]).decode() for one in self.made if key in one["data"]]

    def _route_of(self, path: str) -> str:
        return "/secrets" if path.endswith("/secrets") else "/secrets/{name}"

    def _respond(self, request: Request) -> Any:
        found = re.fullmatch(r"/api/v1/namespaces/([^/]+)/secrets(?:/([^/]+))?", request.path)
        if not found or found[1] != self.namespace:
            raise Refusal(404, "the server could not find the requested resource")
        name = found[2]
        if name is None:
            return self._list(request) if request.method == "GET" else self._create(request.body)
        if name not in self.secrets:
            raise Refusal(404, f'secrets "{name}" not found')
        if request.method == "DELETE":
            self.secrets.pop(name)
            return {"kind": "Status", "status": "Success"}
        assert request.method == "GET", request.method
        return self.secrets[name]

    def _list(self, request: Request) -> Any:
        chosen = [one for one in self.secrets.values() if _fits(one, request.query.get("labelSelector", ""))]
        begin, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", 500))
        metadata = {"continue": str(begin + limit)} if begin + limit < len(chosen) else {}
        return {"kind": "SecretList", "metadata": metadata, "items": chosen[begin : begin + limit]}

    def _create(self, secret: Any) -> Any:
        assert (secret["apiVersion"], secret["kind"]) == ("v1", "Secret")
        name = secret["metadata"]["name"]
        if not NAME.fullmatch(name):
            raise Refusal(422, f"Invalid value: {name!r}: a lowercase RFC 1123 subdomain must consist of …")
        if "mlops-bot/run" not in secret["metadata"]["labels"]:  # deploy/kustomize/pipelines-access/admission.yaml
            raise Refusal(422, "mlops-bot makes and deletes secrets of one run only")
        if name in self.secrets:
            raise Refusal(409, f'secrets "{name}" already exists')
        for key, value in secret["data"].items():
            assert re.fullmatch(r"[-._a-zA-Z0-9]+", key), key
            b64decode(value, validate=True)
        secret["metadata"]["creationTimestamp"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.secrets[name] = secret
        self.made.append(secret)
        return secret


def _fits(secret: dict[str, Any], selector: str) -> bool:
    labels = secret["metadata"].get("labels", {})
    for part in filter(None, selector.split(",")):
        name, equals, value = part.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True
