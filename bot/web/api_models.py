"""The JSON of `/api/v1`: names and shapes that programs rely on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel

from bot.domain.change import Change, ChangeState, Delivery, Repository
from bot.domain.report import ModelReport
from bot.usecases.doctor import Finding
from bot.web.runs_view import RunLine, steps_of


class Problem(BaseModel):
    error: str
    fix: str = ""


class RepositoryOut(BaseModel):
    key: str
    clone_address: str
    default_branch: str

    @classmethod
    def of(cls, repository: Repository) -> Self:
        return cls(key=repository.key, clone_address=repository.clone_address, default_branch=repository.default_branch)


class ChangeOut(BaseModel):
    repository: str
    number: int
    title: str
    author: str
    source_branch: str
    target_branch: str
    head_sha: str
    state: ChangeState
    opened_at: datetime

    @classmethod
    def of(cls, change: Change) -> Self:
        return cls(**{name: getattr(change, name) for name in cls.model_fields})


class CommentIn(BaseModel):
    """`author` is by default whoever runs the service."""

    body: str
    author: str = ""


class CommentOut(BaseModel):
    id: str


class PayloadIn(BaseModel):
    """`body` is a webhook's, as text; `event` is guessed where it is empty."""

    body: str
    event: str = ""
    user: str = ""


class FindingOut(BaseModel):
    part: str
    works: bool
    words: str
    fix: str


class DoctorOut(BaseModel):
    works: bool
    findings: list[FindingOut]

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Self:
        shown = [FindingOut(part=one.part, works=one.works, words=one.words, fix=one.fix) for one in findings]
        return cls(works=all(one.works for one in findings), findings=shown)


class DeliveryOut(BaseModel):
    """`repository` is "" where it is about none that is watched."""

    id: str
    forge: str
    event: str
    repository: str
    received_at: datetime

    @classmethod
    def of(cls, delivery: Delivery, *, is_known: Callable[[str], bool]) -> Self:
        key = re.split("[#!@]", delivery.order_key, maxsplit=1)[0]
        return cls(
            id=delivery.id,
            forge=delivery.forge,
            event=delivery.event,
            repository=key if is_known(key) else "",
            received_at=delivery.received_at,
        )


class RunOut(BaseModel):
    """`state` and `summary` are for people, `phase` is for programs."""

    id: str
    repository: str
    change: int | None
    branch: str
    model: str
    pipeline: str
    sha: str
    phase: str
    state: str
    summary: str
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    params: dict[str, Any]
    metrics: dict[str, float]

    @classmethod
    def of(cls, line: RunLine) -> Self:
        run = line.run
        metrics = run.result.metrics if run.result else {}
        return cls(
            id=run.id,
            repository=run.repository,
            change=run.number,
            branch=run.branch,
            model=run.model,
            pipeline=run.pipeline,
            sha=run.sha,
            phase=run.phase,
            state=line.state.words,
            summary=line.summary,
            requested_by=run.requested_by,
            requested_at=run.requested_at,
            started_at=run.started_at,
            ended_at=run.ended_at,
            params=dict(run.params),
            metrics={name: metric.value for name, metric in metrics.items()},
        )


class StepOut(BaseModel):
    name: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None


class RunDetails(RunOut):
    """`verdict` is passed, waived, missed or empty; None while there is no result. `reused_run` made the result."""

    verdict: str | None = None
    gates: list[dict[str, str]] = []
    steps: list[StepOut] = []
    failure: str | None = None
    model_digest: str = ""
    reused_run: str | None = None
    base_run: str | None = None

    @classmethod
    def of_report(cls, line: RunLine, report: ModelReport) -> Self:
        details = cls.of(line)
        run, judgement = line.run, report.judgement
        details.steps = [
            StepOut(name=step.name, state=step.state.words, started_at=step.started_at, ended_at=step.ended_at)
            for step in steps_of(run, report)
        ]
        if judgement is not None:
            details.verdict = judgement.verdict
            details.gates = [
                {"gate": one.gate.text, "outcome": str(one.outcome), "reason": one.reason} for one in judgement.outcomes
            ]
        if run.result is not None:
            details.failure = run.result.failure.message if run.result.failure else None
            details.model_digest = run.result.model_digest
        details.reused_run, details.base_run = run.reused_run, run.base_run
        return details
