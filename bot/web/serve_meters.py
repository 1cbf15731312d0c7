"""How many predictions there are and how long they take, for `/metrics`."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class PredictionMeters:
    """Only of what is served: names from outside can not make up new time series. Revisions are not told apart here,
    for each deployment would add a set of series that stays."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "mlops_bot_prediction_seconds",
            "Time from a request for a prediction to the end of its answer.",
            labelnames=("environment", "model", "status"),
            buckets=BUCKETS_S,
            registry=registry,
        )
        self._known: dict[tuple[str, str, str], Histogram] = {}

    def note(self, environment: str, model: str, status: int, seconds: float) -> None:
        key = environment, model, f"{status // 100}xx"
        if key not in self._known:
            self._known[key] = self._seconds.labels(*key)
        self._known[key].observe(seconds)
