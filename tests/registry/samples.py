"""A version as the demo's model has it, and how it is registered and assigned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.domain.change import Repository
from bot.domain.result import Metric
from bot.domain.version import Assignment, VersionLock, VersionNumber
from bot.ports.registry import Registry, TaggedVersion

NOON = datetime(2026, 11, 25, 12, 0, 0, 999_999, tzinfo=UTC)
TO_THE_SECOND = NOON.replace(microsecond=0)
CARD = "# breast-cancer v1.3.0\n"
TAG = "breast-cancer@v1.3.0"
SAMPLE = VersionLock(
    model="breast-cancer",
    number=VersionNumber(1, 3, 0),
    sha="a" * 40,
    run_id="run-0123456789abcdef",
    run_key="f" * 64,
    pipeline_version="sha256:0000",
    artifacts="file:///srv/artifacts/runs/run-0123456789abcdef",
    model_digest="sha256:" + "d" * 64,
    model_size_bytes=123_456,
    code_digest="c" * 64,
    model_path="models/breast-cancer",
    serve="sklearn",
    data_address="https://git.example.com/acme/datasets.git",
    data_sha="b" * 40,
    data_path="breast_cancer.csv",
    data_digest="e" * 64,
    data_rows=569,
    params={"n_estimators": 200, "criterion": "gini"},
    split={"test": 0.25, "seed": 7},
    environment={"python": "3.11", "requirements": "requirements.txt", "image": ""},
    metrics={"accuracy": Metric(0.9720279720279721, 0.01), "log_loss": Metric(0.12)},
    gates=("accuracy >= 0.93", "accuracy >= production - 0.005"),
    waived=("log_loss <= 0.1: known outlier (alice)",),
)


def lock(**changes: Any) -> VersionLock:
    return replace(SAMPLE, **changes)


def register(registry: Registry, repository: Repository, wanted: VersionLock, at: datetime = NOON) -> TaggedVersion:
    return registry.register(repository, wanted, card=CARD, by="alice", at=at)


def assign(
    registry: Registry,
    repository: Repository,
    commit_sha: str,
    serial: int,
    *,
    environment: str = "production",
    deployment_id: str = "",
    at: datetime = NOON,
) -> Assignment:
    return registry.assign(
        repository,
        model="breast-cancer",
        environment=environment,
        serial=serial,
        commit_sha=commit_sha,
        deployment_id=deployment_id or f"dep-{serial}",
        by="bob",
        at=at,
    )
