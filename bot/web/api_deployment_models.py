"""The JSON of `/api/v1` about versions, environments, deployments and the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from bot.domain.feedback import LedgerEntry
from bot.domain.report_deployment_words import deployment_words, next_step
from bot.domain.report_deployments import DeploymentLine
from bot.usecases.deployments.by_operator import Rebuilt
from bot.usecases.deployments.overview import Answering, ServedPlace
from bot.usecases.world import World
from bot.web.deployments_view import of_deployment
from bot.web.models_view import VersionRow


class VersionOut(BaseModel):
    """`version` is "" while its number is only planned; `phase` is wanted, registered, refused or missing."""

    repository: str
    model: str
    version: str
    phase: str
    problem: str
    serves_in: list[str]
    commit: str
    tagged: str
    data: str
    run: str
    digest: str
    metrics: dict[str, float]
    params: dict[str, Any]
    gates: list[str]
    waived: list[str]
    by: str
    at: datetime

    @classmethod
    def of(cls, row: VersionRow) -> Self:
        version, lock = row.version, row.version.lock
        return cls(
            repository=version.repository,
            model=lock.model,
            version=row.name,
            phase=version.phase,
            problem=version.problem,
            serves_in=list(row.serves_in),
            commit=lock.sha,
            tagged=version.commit_sha,
            data=lock.data_sha,
            run=lock.run_id,
            digest=lock.model_digest,
            metrics={name: metric.value for name, metric in lock.metrics.items()},
            params=dict(lock.params),
            gates=list(lock.gates),
            waived=list(lock.waived),
            by=version.by,
            at=version.at,
        )


class AnsweringOut(BaseModel):
    """A version with a share of the requests; `percent` 0 is kept warm. `requests` and `errors` are since it took this
    share, `p99_ms` of the same."""

    version: str
    percent: int
    state: str
    message: str
    restarts: int
    requests: int
    errors: int
    p99_ms: float | None

    @classmethod
    def of(cls, one: Answering) -> Self:
        return cls(
            version=one.version,
            percent=one.percent,
            state=one.observed.state,
            message=one.observed.message,
            restarts=one.observed.restarts,
            requests=one.traffic.requests,
            errors=one.traffic.errors,
            p99_ms=one.traffic.p99_ms,
        )


class PlaceOut(BaseModel):
    """One model in one environment. `version` is "" while nothing has gone live there."""

    environment: str
    repository: str
    model: str
    version: str
    assignment: str
    since: datetime | None
    by: str
    endpoint: str
    answering: list[AnsweringOut]
    on_their_way: list[DeploymentOut]

    @classmethod
    def of(cls, place: ServedPlace, world: World) -> Self:
        made = place.assignment
        return cls(
            environment=place.environment,
            repository=place.repository,
            model=place.model,
            version=place.version_name,
            assignment=made.tag if made is not None else "",
            since=made.at if made is not None else None,
            by=made.by if made is not None else "",
            endpoint=world.links.served(place.environment, place.model) if place.answering else "",
            answering=[AnsweringOut.of(one) for one in place.answering],
            on_their_way=[DeploymentOut.of(line, world) for line in place.on_their_way],
        )


class DeploymentOut(BaseModel):
    """`phase` is for programs; `state` and `summary` are for people."""

    id: str
    kind: str
    repository: str
    model: str
    environment: str
    change: int | None
    sha: str
    version: str
    digest: str
    phase: str
    state: str
    summary: str
    words: str
    is_active: bool
    place: int
    requested_by: str
    requested_at: datetime
    live_at: datetime | None
    ended_at: datetime | None
    approvals_needed: int
    approved_by: list[str]
    run: str
    pipeline_run: str
    page: str
    endpoint: str

    @classmethod
    def of(cls, line: DeploymentLine, world: World) -> Self:
        one = line.deployment
        return cls(
            id=one.id,
            kind=one.kind,
            repository=one.repository,
            model=one.model,
            environment=one.environment,
            change=one.number,
            sha=one.sha,
            version=one.version,
            digest=one.digest,
            phase=one.phase,
            state=of_deployment(one).words,
            summary=deployment_words(line),
            words=one.words,
            is_active=one.phase.is_active,
            place=line.place,
            requested_by=one.requested_by,
            requested_at=one.requested_at,
            live_at=one.live_at,
            ended_at=one.ended_at,
            approvals_needed=one.rule.approvals,
            approved_by=list(line.approved_by),
            run=one.run_id,
            pipeline_run=one.pipeline_run,
            page=world.links.deployment(one.id),
            endpoint=world.links.served(one.environment, one.model) if one.phase == "live" else "",
        )


class DecisionOut(BaseModel):
    """`counts` is false for what was given for something else, or by somebody who may not."""

    by: str
    at: datetime
    decision: str
    reason: str
    source: str
    counts: bool
    why_not: str


class DeploymentDetails(DeploymentOut):
    decisions: list[DecisionOut] = []
    voided: str = ""
    gates: str = ""
    next_step: str = ""

    @classmethod
    def of_line(cls, line: DeploymentLine, decisions: list[DecisionOut], world: World) -> Self:
        details = cls.of(line, world)
        details.decisions = decisions
        details.voided = line.deployment.voided
        details.gates = line.judgement.summary if line.judgement is not None else ""
        details.next_step = next_step(line) if line.deployment.number is not None else ""
        return details


class DeploymentIn(BaseModel):
    """`version` "" is what the default branch holds. `author` is by default whoever runs the service."""

    repository: str
    model: str
    environment: str
    version: str = ""
    author: str = ""


class RollbackIn(BaseModel):
    """`model` may be left out where one serves there; `version` "" is the one that served before."""

    repository: str
    environment: str
    model: str = ""
    version: str = ""
    author: str = ""


class RebuiltOut(BaseModel):
    repository: str
    versions: int
    assignments: int
    unreadable: list[str]
    problem: str

    @classmethod
    def of(cls, rebuilt: Rebuilt) -> Self:
        return cls(
            repository=rebuilt.repository,
            versions=rebuilt.versions,
            assignments=rebuilt.assignments,
            unreadable=list(rebuilt.unreadable),
            problem=rebuilt.problem,
        )


class LedgerOut(BaseModel):
    """`seq` rises; entries are never changed, so `since=<seq>` gives what is new."""

    seq: int
    at: datetime
    actor: str
    action: str
    repository: str
    subject: str
    details: dict[str, str]

    @classmethod
    def of(cls, entry: LedgerEntry) -> Self:
        return cls(
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            repository=entry.repository,
            subject=entry.subject,
            details=dict(entry.details),
        )
