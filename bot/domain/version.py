"""A registered version of a model: a GTO tag such as `churn@v1.2.0`, and what `mlops.lock` says of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bot.domain.masking import mask
from bot.domain.project import JsonValue
from bot.domain.result import Metric, Result
from bot.domain.run import Run

_NUMBER = re.compile(r"v?(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True, order=True)
class VersionNumber:
    """`v1.2.0`: a major one is asked for, a minor one has other code, a patch other data, params or environment."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


FIRST = VersionNumber(1, 0, 0)


def parse_number(text: str) -> VersionNumber | None:
    """From `v1.2.0` or `1.2.0`; None for anything else."""
    match = _NUMBER.fullmatch(text.strip())
    return VersionNumber(*(int(part) for part in match.groups())) if match else None


def next_number(newest: VersionNumber | None, *, code_changed: bool, major: bool) -> VersionNumber:
    """`newest` is the highest number of the model so far; `code_changed` is against the version of that number."""
    if newest is None:
        return FIRST
    if major:
        return VersionNumber(newest.major + 1, 0, 0)
    if code_changed:
        return VersionNumber(newest.major, newest.minor + 1, 0)
    return VersionNumber(newest.major, newest.minor, newest.patch + 1)


@dataclass(frozen=True, slots=True)
class VersionLock:
    """What `mlops.lock` holds: all that made the version, and where its files are.

    `artifacts` is the address of the run's own prefix; the model is below it in `model/`. `code_digest` covers the
    model's files in git, so that two versions can be told to have the same code. `environment` is the requirement of
    Python and packages, as in `mlops.yaml`. `run_key` and `run_id` are those of the run that trained it.
    """

    model: str
    number: VersionNumber
    sha: str
    run_id: str
    run_key: str
    pipeline_version: str
    artifacts: str
    model_digest: str
    model_size_bytes: int
    code_digest: str
    model_path: str
    serve: str
    data_address: str = ""
    data_sha: str = ""
    data_path: str = ""
    data_digest: str = ""
    data_rows: int | None = None  # of one table of modest size
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    split: Mapping[str, JsonValue] = field(default_factory=dict)
    environment: Mapping[str, JsonValue] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    gates: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()  # `<gate>: <reason> (<who>)`, for each gate that it missed with leave

    @property
    def tag(self) -> str:
        return version_tag(self.model, self.number)


def lock_of(
    run: Run,
    result: Result,
    *,
    serve: str,
    number: VersionNumber,
    trained_by: str,
    artifacts: str,
    code_digest: str,
    waived: tuple[str, ...] = (),
) -> VersionLock:
    """`run` is the one whose commit becomes the version's parent; `trained_by` is the run that left the model's files,
    below `artifacts`. What ran is taken from the run, which the model's own code can not have written."""
    data = result.data
    lineage = run.arguments.get("lineage", {})
    return VersionLock(
        model=run.model,
        number=number,
        sha=run.sha,
        run_id=trained_by,
        run_key=run.key,
        pipeline_version=lineage.get("pipeline_version", result.pipeline_version),
        artifacts=artifacts,
        model_digest=result.model_digest,
        model_size_bytes=result.model_size_bytes,
        code_digest=code_digest,
        model_path=str(run.arguments["model_path"]),
        serve=serve,
        data_address=mask(str(run.arguments.get("data_address", ""))),
        data_sha=str(run.arguments.get("data_sha", "")),
        data_path=str(run.arguments.get("data_path", "")),
        data_digest=data.digest if data is not None else "",
        data_rows=data.rows if data is not None else None,
        params=run.params,
        split=run.arguments.get("split", {}),
        environment=run.arguments.get("environment", {}),
        metrics=result.metrics,
        gates=run.gates,
        waived=waived,
    )


def version_tag(model: str, number: VersionNumber) -> str:
    return f"{model}@{number}"


def assignment_tag(model: str, environment: str, serial: int) -> str:
    """GTO takes a tag without a serial, too, and people may have made some: their `serial` is 0."""
    return f"{model}#{environment}#{serial}" if serial else f"{model}#{environment}"


class VersionPhase(StrEnum):
    """The names are stored."""

    WANTED = "wanted"  # a result that is to become a version; its tag may or may not be pushed yet
    REGISTERED = "registered"
    REFUSED = "refused"  # could not be registered: `problem` says why
    MISSING = "missing"  # its tag was deleted or moved by hand


@dataclass(frozen=True, slots=True)
class Version:
    """A version as the store indexes it. `lock.number` is only planned while the phase is WANTED.

    `commit_sha` is the tagged commit, a child of the trained one, "" until it is registered. `by` asked for it.
    """

    id: str  # `version_id`
    repository: str
    lock: VersionLock
    phase: VersionPhase
    by: str
    at: datetime
    is_major: bool = False
    commit_sha: str = ""
    problem: str = ""


def version_id(repository: str, model: str, run_id: str) -> str:
    """One version for each trained model of a repository; `run_id` is the run that left its files."""
    return f"version:{repository}:{model}:{run_id}"


@dataclass(frozen=True, slots=True)
class Assignment:
    """A version was assigned to an environment: the tag `churn#production#4` on the version's commit."""

    repository: str
    model: str
    environment: str
    serial: int
    commit_sha: str
    by: str
    at: datetime
    deployment_id: str = ""  # "" for a tag that was not made by the bot

    @property
    def tag(self) -> str:
        return assignment_tag(self.model, self.environment, self.serial)
