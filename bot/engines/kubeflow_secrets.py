"""The secrets of runs as Kubernetes Secrets, one for each run: made before it is submitted, removed when it has ended.

So tokens are in no parameter, specification or page of Kubeflow; who may read Secrets of the namespace sees them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from bot.engines.kubeflow_http import Connection, Refused

OWNER = "app.kubernetes.io/managed-by"
RUN = "mlops-bot/run"  # the cluster lets the bot make and delete Secrets with this label alone
SELECTOR = f"{OWNER}=mlops-bot,{RUN}"
PAGE = 500


class RunSecrets:
    def __init__(self, connection: Connection, *, namespace: str) -> None:
        self._connection = connection
        self._path = f"/api/v1/namespaces/{quote(namespace, safe='')}/secrets"

    def check_health(self) -> None:
        """Whether the bot may see its Secrets."""
        self._connection.ask("GET", self._path, query={"labelSelector": SELECTOR, "limit": 1})

    def put(self, run_id: str, values: Mapping[str, str]) -> None:
        """Safe to call again: the newest values count, since tokens expire."""
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": run_id, "labels": {OWNER: "mlops-bot", RUN: run_id}},
            "data": {name: b64encode(value.encode()).decode() for name, value in values.items()},
        }
        try:
            self._connection.ask("POST", self._path, body=secret)
        except Refused as error:
            if error.status != 409:
                raise
            self.remove(run_id)
            self._connection.ask("POST", self._path, body=secret)

    def remove(self, run_id: str) -> None:
        try:
            self._connection.ask("DELETE", f"{self._path}/{run_id}")
        except Refused as error:
            if error.status != 404:
                raise

    def older_than(self, age: timedelta, *, now: datetime) -> Iterator[str]:
        """Ids of the runs whose Secrets were made before then."""
        for metadata in self._all():
            if datetime.fromisoformat(metadata["creationTimestamp"]) < now - age:
                yield metadata["name"]

    def _all(self) -> Iterable[dict[str, Any]]:
        query: dict[str, str | int] = {"labelSelector": SELECTOR, "limit": PAGE}
        while True:
            page = self._connection.ask("GET", self._path, query=query)
            yield from (item["metadata"] for item in page.get("items") or ())
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token
