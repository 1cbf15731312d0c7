"""The bot's proxy before real model servers: one version takes over from another, and no request notices."""

from __future__ import annotations

import threading
from collections import Counter as Tally
from pathlib import Path
from typing import Self

import httpx

from bot.web.app import create_app
from tests.serving.kit import DEADLINE_S, Counter, Shop, tensor, until
from tests.web.kit import open_workplace, served

CLIENTS = 4


class Load:
    """Clients that ask again and again until they are told to stop."""

    def __init__(self, address: str, token: str, body: object) -> None:
        self.answers: list[tuple[int, str]] = []
        self._ask = (f"{address}/serve/staging/weights/v2/models/weights/infer", token, body)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def seen(self, revision_id: str) -> int:
        return sum(revision == revision_id for _, revision in self.answers)

    def _run(self) -> None:
        url, token, body = self._ask
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=DEADLINE_S) as client:
            while not self._stop.is_set():
                answer = client.post(url, json=body)
                self.answers.append((answer.status_code, answer.headers.get("x-mlops-revision", answer.text)))


def test_while_one_version_takes_over_from_another_and_back_no_request_fails(
    own_counter: Counter, shop: Shop, tmp_path: Path
) -> None:
    first = shop.revision("weights", id="dep-1", runtime="python")
    second = shop.revision("weights", id="dep-2", runtime="python")
    own_counter.serving.start()
    own_counter.apply("weights", (first, 100))
    own_counter.wait("weights", first)
    with open_workplace(tmp_path / "bot") as place:
        site = place.app.state.site
        place.app = create_app(site.world, place.settings, actions=site.actions, routes=own_counter.serving)
        body = tensor([1.0, 2.0], [1, 2])
        with served(place) as address, Load(address, place.settings.predict_token, body) as load:
            until(lambda: load.seen("dep-1") > 20)
            own_counter.apply("weights", (first, 100), (second, 0))
            own_counter.wait("weights", second)
            warm = load.seen("dep-2")
            own_counter.apply("weights", (first, 50), (second, 50))
            until(lambda: load.seen("dep-2") > 20)
            own_counter.apply("weights", (second, 100))
            until(lambda: not own_counter.folder("weights", first).is_held, "the first one has ended")
            own_counter.apply("weights", (second, 100), (first, 0))
            own_counter.wait("weights", first)
            before = load.seen("dep-1")
            own_counter.apply("weights", (first, 100))
            until(lambda: load.seen("dep-1") > before + 20)
            until(lambda: not own_counter.folder("weights", second).is_held, "the second one has ended")

    assert warm == 0
    assert set(Tally(load.answers)) == {(200, "dep-1"), (200, "dep-2")}
