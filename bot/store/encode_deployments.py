"""Versions and deployments to JSON text and back: what no row is found by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from bot.domain.deployment import Deployment, DeploymentKind
from bot.domain.project import Canary, DeployEnvironment
from bot.domain.result import Metric
from bot.domain.version import Version, VersionLock, parse_number
from bot.store.encode import close_document, open_document

_TEXTS = (
    "branch",
    "sha",
    "trigger",
    "requested_by",
    "run_id",
    "version_id",
    "version",
    "digest",
    "thing",
    "replaces",
    "assignment",
    "words",
    "voided",
)


def encode_version(version: Version) -> str:
    return close_document(
        {
            "lock": {**asdict(version.lock), "number": str(version.lock.number)},
            "by": version.by,
            "is_major": version.is_major,
            "problem": version.problem,
        }
    )


def decode_version(text: str) -> dict[str, Any]:
    """The fields of a Version of the same names."""
    document = open_document(text)
    return {
        "lock": _lock(document["lock"]),
        "by": document["by"],
        "is_major": document["is_major"],
        "problem": document["problem"],
    }


def _lock(document: Mapping[str, Any]) -> VersionLock:
    number = parse_number(document["number"])
    assert number is not None
    return VersionLock(
        **{
            **document,
            "number": number,
            "metrics": {name: Metric(**metric) for name, metric in document["metrics"].items()},
            "gates": tuple(document["gates"]),
            "waived": tuple(document["waived"]),
        }
    )


def encode_deployment(deployment: Deployment) -> str:
    return close_document(
        {
            **{name: getattr(deployment, name) for name in _TEXTS},
            "kind": deployment.kind.value,
            "rule": asdict(deployment.rule),
            "is_major": deployment.is_major,
            "memory_bytes": deployment.memory_bytes,
            "asked_sha": deployment.asked_sha,
            "cpu": deployment.cpu,
            "thing_at": _moment(deployment.thing_at),
            "approved_at": _moment(deployment.approved_at),
            "started_at": _moment(deployment.started_at),
        }
    )


def decode_deployment(text: str) -> dict[str, Any]:
    """The fields of a Deployment of the same names."""
    document = open_document(text)
    return {
        **{name: document[name] for name in _TEXTS},
        "kind": DeploymentKind(document["kind"]),
        "rule": _rule(document["rule"]),
        "is_major": document["is_major"],
        "memory_bytes": document["memory_bytes"],
        "asked_sha": document["asked_sha"],
        "cpu": document["cpu"],
        "thing_at": _moment_back(document["thing_at"]),
        "approved_at": _moment_back(document["approved_at"]),
        "started_at": _moment_back(document["started_at"]),
    }


def _rule(document: Mapping[str, Any]) -> DeployEnvironment:
    canary = document["canary"]
    return DeployEnvironment(
        approvals=document["approvals"],
        approvers=tuple(document["approvers"]),
        only_merged=document["only_merged"],
        canary=Canary(**{**canary, "percents": tuple(canary["percents"])}),
    )


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment_back(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
