"""What tests of serving on a cluster share: versions, and a bot's KServe on the fake cluster."""

from __future__ import annotations

from typing import Any

from bot.domain.serving import DesiredService, ServedRevision, Share
from bot.ports.serving import Serving
from bot.serving.kserve import KServeServing
from bot.serving.kserve_settings import ClusterAccess, ServingSettings
from tests.fakes.kubernetes.server import FakeKServeCluster

ENVIRONMENT, MODEL = "production", "churn"


def version(number: int, **changes: Any) -> ServedRevision:
    fields: dict[str, Any] = {
        "id": f"v{number}.0.0-{number:012x}",
        "version": f"v{number}.0.0",
        "sha": f"{number:040x}",
        "data_sha": "d" * 40,
        "digest": f"sha256:{number:064x}",
        "runtime": "sklearn",
        "storage": f"s3://bucket/runs/run-{number}/model",
        "code": "file:///nonexistent/models.git",
        "model_path": "models/churn",
        "environment": {"python": "3.11", "requirements": "requirements.txt", "image": ""},
        "memory_bytes": 2 * 1024**3,
        "cpu": 0.5,
    }
    return ServedRevision(**{**fields, **changes})


V1, V2, V3 = version(1), version(2), version(3)


def wish(*shares: tuple[ServedRevision, int], model: str = MODEL) -> DesiredService:
    return DesiredService("github/acme/models", ENVIRONMENT, model, tuple(Share(*share) for share in shares))


def kserve(cluster: FakeKServeCluster, **changes: Any) -> KServeServing:
    access = changes.pop("access", ClusterAccess(cluster.url))
    return KServeServing(ServingSettings(namespace=cluster.namespace, cluster=access, **changes))


def seen(serving: Serving, *revisions: ServedRevision) -> list[tuple[str, int]]:
    """State and percent of each, as observed."""
    observed = serving.observe(ENVIRONMENT, MODEL)
    return [(one.state.value, one.percent) for one in map(observed.revision, [each.id for each in revisions])]


def live(cluster: FakeKServeCluster, *revisions: ServedRevision) -> None:
    """Each of them had all requests, one after the other."""
    serving = kserve(cluster)
    for revision in revisions:
        serving.apply(wish((revision, 100)))
        cluster.ready()
