"""Rows that tests of the store write; only what a test is about is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.approval import Approval, Decision
from bot.domain.change import Change, ChangeState, Delivery, Repository
from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase
from bot.domain.result import (
    ColumnSummary,
    DataSummary,
    Failure,
    FailureKind,
    Frame,
    Metric,
    Plot,
    PlotKind,
    Result,
    StepResult,
)
from bot.domain.run import Phase, Run
from bot.domain.version import Assignment, Version, VersionLock, VersionNumber, VersionPhase, version_id

NOW = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
REPOSITORY = Repository(key="plain/models", clone_address="/srv/git/models.git", default_branch="main")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_delivery(delivery_id: str, *, order_key: str = "plain/models#1", received_at: datetime = NOW) -> Delivery:
    return Delivery(
        id=delivery_id,
        forge="plain",
        event="push",
        body=b'{"ref": "\xff\x00"}',
        order_key=order_key,
        received_at=received_at,
    )


def a_run(run_id: str, **fields: Any) -> Run:
    defaults: dict[str, Any] = {
        "id": run_id,
        "key": f"key-{run_id}",
        "trigger": "push:abc",
        "repository": REPOSITORY.key,
        "number": None,
        "branch": "main",
        "model": "churn",
        "pipeline": "train",
        "sha": "a" * 40,
        "requested_by": "alice",
        "requested_at": NOW,
        "phase": Phase.QUEUED,
        "params": {"n_estimators": 200},
        "arguments": {"model": "churn", "data_sha": "b" * 40},
    }
    return Run(**{**defaults, **fields})


def a_change(number: int, **fields: Any) -> Change:
    defaults: dict[str, Any] = {
        "repository": REPOSITORY.key,
        "number": number,
        "title": "Try more trees",
        "author": "alice",
        "source_branch": f"trees-{number}",
        "target_branch": "main",
        "head_sha": "c" * 40,
        "from_fork": False,
        "state": ChangeState.OPEN,
        "opened_at": NOW,
    }
    return Change(**{**defaults, **fields})


def a_result(run_id: str, **fields: Any) -> Result:
    """With something in every field."""
    defaults: dict[str, Any] = {
        "run_id": run_id,
        "run_key": f"key-{run_id}",
        "pipeline": "train",
        "pipeline_version": "1",
        "repository": REPOSITORY.key,
        "sha": "a" * 40,
        "model": "churn",
        "state": "failed",
        "params": {"n_estimators": 200, "names": ["a", None, "λ"]},
        "split": {"test": 0.25, "seed": 7},
        "data": DataSummary(
            repository="/srv/git/data.git",
            sha="b" * 40,
            path="churn.csv",
            digest="md5:1",
            files=1,
            size_bytes=2**40,
            rows=569,
            columns=(ColumnSummary("age", 3, 41.5, 2.25), ColumnSummary("city", 0)),
        ),
        "steps": (
            StepResult("fetch", "succeeded", NOW, later(1.5), 0, 1_000_000, 0.25, ("fetched", "café \0 \ud800")),
            StepResult("train", "failed", later(2), None, -9),
        ),
        "metrics": {"accuracy": Metric(0.1 + 0.2, 0.01), "loss": Metric(-1e-300)},
        "plots": (Plot("plots/roc.csv", PlotKind.CURVE, "ROC"),),
        "model_digest": "sha256:2",
        "model_size_bytes": 12,
        "failure": Failure("train", FailureKind.SIGNAL, "killed", "Give it more memory.", (Frame("train.py", 3, "f"),)),
    }
    return Result(**{**defaults, **fields})


def a_lock(**fields: Any) -> VersionLock:
    defaults: dict[str, Any] = {
        "model": "churn",
        "number": VersionNumber(1, 0, 0),
        "sha": "a" * 40,
        "run_id": "run-1",
        "run_key": "key-1",
        "pipeline_version": "0123456789ab",
        "artifacts": "file:///srv/artifacts/runs/run-1",
        "model_digest": "e" * 64,
        "model_size_bytes": 4096,
        "code_digest": "f" * 64,
        "model_path": "models/churn",
        "serve": "sklearn",
    }
    return VersionLock(**{**defaults, **fields})


def a_version(run_id: str = "run-1", **fields: Any) -> Version:
    lock = fields.pop("lock", None) or a_lock(run_id=run_id)
    defaults: dict[str, Any] = {
        "id": version_id(REPOSITORY.key, lock.model, run_id),
        "repository": REPOSITORY.key,
        "lock": lock,
        "phase": VersionPhase.WANTED,
        "by": "alice",
        "at": NOW,
    }
    return Version(**{**defaults, **fields})


def an_assignment(serial: int = 1, **fields: Any) -> Assignment:
    defaults: dict[str, Any] = {
        "repository": REPOSITORY.key,
        "model": "churn",
        "environment": "production",
        "serial": serial,
        "commit_sha": "c" * 40,
        "by": "alice",
        "at": NOW,
        "deployment_id": "dep-1",
    }
    return Assignment(**{**defaults, **fields})


def a_deployment(deployment_id: str, **fields: Any) -> Deployment:
    defaults: dict[str, Any] = {
        "id": deployment_id,
        "kind": DeploymentKind.DEPLOY,
        "repository": REPOSITORY.key,
        "model": "churn",
        "environment": "production",
        "number": 7,
        "branch": "better",
        "sha": "a" * 40,
        "trigger": "comment:1:1",
        "requested_by": "alice",
        "requested_at": NOW,
        "phase": DeploymentPhase.WAITING_FOR_APPROVAL,
    }
    return Deployment(**{**defaults, **fields})


def an_approval(source: str, **fields: Any) -> Approval:
    defaults: dict[str, Any] = {
        "deployment_id": "dep-1",
        "by": "bob",
        "at": NOW,
        "decision": Decision.APPROVED,
        "thing": "t" * 32,
        "source": source,
    }
    return Approval(**{**defaults, **fields})
