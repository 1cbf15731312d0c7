"""The fake's webhooks: signed, kept for a test that takes them, or sent to a service."""

from __future__ import annotations

import hmac
import http.client
import itertools
import json
import queue
import threading
import uuid
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.github.records import HookDelivery, now


class Hooks:
    """`target` is where they are sent, one after the other; without one they wait in `waiting`."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.target: str | None = None
        self.deliveries: list[HookDelivery] = []
        self.waiting: list[HookDelivery] = []
        self._ids = itertools.count(10_000)
        self._queue: queue.Queue[HookDelivery | None] = queue.Queue()
        self._thread = threading.Thread(target=self._send_all, name="fake-github-hooks", daemon=True)
        self._thread.start()

    def emit(self, event: str, payload: dict[str, Any]) -> None:
        body = json.dumps(payload).encode()
        self._deliver(HookDelivery(next(self._ids), str(uuid.uuid4()), event, payload.get("action"), body, now()))

    def redeliver(self, delivery_id: int) -> bool:
        found = next((one for one in self.deliveries if one.id == delivery_id), None)
        if found is None:
            return False
        again = HookDelivery(next(self._ids), found.guid, found.event, found.action, found.body, now(), True)
        self._deliver(again)
        return True

    def take(self) -> list[HookDelivery]:
        taken, self.waiting = self.waiting, []
        return taken

    def headers(self, delivery: HookDelivery) -> dict[str, str]:
        return self.signed(delivery.body, event=delivery.event, guid=delivery.guid)

    def signed(self, body: bytes, *, event: str, guid: str) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "user-agent": "GitHub-Hookshot/fake",
            "x-github-event": event,
            "x-github-delivery": guid,
            "x-hub-signature-256": "sha256=" + hmac.new(self.secret.encode(), body, "sha256").hexdigest(),
        }

    def settle(self) -> None:
        """Until all were sent."""
        self._queue.join()

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(10)

    def _deliver(self, delivery: HookDelivery) -> None:
        self.deliveries.append(delivery)
        if self.target is None:
            self.waiting.append(delivery)
        else:
            self._queue.put(delivery)

    def _send_all(self) -> None:
        while True:
            delivery = self._queue.get()
            try:
                if delivery is None:
                    return
                delivery.status_code = self._send(delivery)
            finally:
                self._queue.task_done()

    def _send(self, delivery: HookDelivery) -> int:
        """0 when nobody answers."""
        parts = urlsplit(self.target or "")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request("POST", parts.path, delivery.body, self.headers(delivery))
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()
