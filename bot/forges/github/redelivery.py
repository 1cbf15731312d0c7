"""Webhooks that did not reach the bot: GitHub does not send them again by itself, but an App may ask it to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import structlog

from bot.domain.errors import TransientError
from bot.forges.github.client import Client
from bot.forges.github.errors import Refused
from bot.forges.github.fields import integer, moment, text
from bot.forges.github.webhook import KINDS

MOST_ATTEMPTS = 3

log = structlog.get_logger()


def redeliver_failed(client: Client, *, since: datetime) -> int:
    """Ask for those again that nobody took, and that are of interest. Gives how many. None for a token, which has no
    log of deliveries: there, comparing finds what was missed."""
    if client.app is None:
        return 0
    attempts: Counter[str] = Counter()
    taken: set[str] = set()
    newest: dict[str, Mapping[str, Any]] = {}
    for delivery in _since(client, since):
        guid = text(delivery, "guid")
        attempts[guid] += 1
        newest.setdefault(guid, delivery)
        if 200 <= integer(delivery, "status_code") < 300:
            taken.add(guid)
    asked = 0
    for guid, delivery in newest.items():
        if guid not in taken and attempts[guid] <= MOST_ATTEMPTS and text(delivery, "event") in KINDS:
            asked += _redeliver(client, delivery)
    if asked:
        log.info("deliveries_asked_for_again", forge="github", count=asked)
    return asked


def _since(client: Client, since: datetime) -> Iterator[Mapping[str, Any]]:
    """Newest first."""
    assert client.app is not None
    for page in client.pages(client.app.own(), "deliveries", "/app/hook/deliveries", {}, _read):
        for delivery in page:
            delivered_at = moment(delivery, "delivered_at")
            if delivered_at is None or delivered_at < since:
                return
            yield delivery


def _read(answer: Any) -> list[Mapping[str, Any]]:
    """Without what they carried."""
    names = ("id", "guid", "delivered_at", "status_code", "event")
    listed = [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []
    return [{name: item.get(name) for name in names} for item in listed]


def _redeliver(client: Client, delivery: Mapping[str, Any]) -> int:
    assert client.app is not None
    path = f"/app/hook/deliveries/{integer(delivery, 'id')}/attempts"
    try:
        client.ask(client.app.own(), "redelivery", "POST", path)
    except (Refused, TransientError) as error:  # it is looked for again next time
        log.warning("delivery_not_asked_for_again", delivery_id=text(delivery, "guid"), problem=error.problem)
        return 0
    return 1
