"""What a report says of a version: the one that serves, or the one that would take its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.domain.project import JsonValue
from bot.domain.result import Metric, Result
from bot.domain.version import VersionLock


@dataclass(frozen=True, slots=True)
class DataFacts:
    """`rows` is None where the data is not one table of modest size."""

    path: str
    sha: str
    digest: str = ""
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """`version` is such as `v1.2.0`, "" while it is not registered. `environment` is where it serves, if anywhere."""

    version: str
    environment: str
    sha: str
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    split: Mapping[str, JsonValue] = field(default_factory=dict)
    data: DataFacts | None = None
    model_digest: str = ""
    model_size_bytes: int = 0


def facts_of_version(lock: VersionLock, *, environment: str = "") -> VersionFacts:
    has_data = bool(lock.data_sha or lock.data_digest)
    return VersionFacts(
        version=str(lock.number),
        environment=environment,
        sha=lock.sha,
        metrics=lock.metrics,
        params=lock.params,
        split=lock.split,
        data=DataFacts(lock.data_path, lock.data_sha, lock.data_digest, lock.data_rows) if has_data else None,
        model_digest=lock.model_digest,
        model_size_bytes=lock.model_size_bytes,
    )


def facts_of_result(result: Result, *, sha: str = "", version: str = "") -> VersionFacts:
    """Of a result that may become a version. `sha` is that of the run which reused the result, where it is another."""
    data = result.data
    return VersionFacts(
        version=version,
        environment="",
        sha=sha or result.sha,
        metrics=result.metrics,
        params=result.params,
        split=result.split,
        data=None if data is None else DataFacts(data.path, data.sha, data.digest, data.rows),
        model_digest=result.model_digest,
        model_size_bytes=result.model_size_bytes,
    )
