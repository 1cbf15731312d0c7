"""One model on its way into production, in each state that a deployment goes through."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.comments.prediction import request_body
from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase
from bot.domain.gate import Judgement, judge, parse_gate
from bot.domain.project import DeployEnvironment
from bot.domain.report import ModelState, Report, build_report
from bot.domain.report_deployments import DeploymentLine
from bot.domain.report_versions import DataFacts, VersionFacts, facts_of_result
from bot.domain.result import Metric
from bot.domain.run import Phase, StepProgress
from tests.comments.report_samples import (
    BASE,
    BASE_RUN,
    DATA_V1,
    HEAD,
    LINKS,
    NOON,
    PARSED,
    SUBJECT,
    good_result,
    run,
    waiver,
)

RULE = DeployEnvironment(approvals=2, approvers=("@acme/ml-leads", "carol"))
LIVE = VersionFacts(
    version="v1.2.0",
    environment="production",
    sha=BASE,
    metrics={"accuracy": Metric(0.944056), "log_loss": Metric(0.17), "roc_auc": Metric(0.9871)},
    params={"criterion": "gini", "max_depth": 6, "n_estimators": 40},
    split={"test": 0.25, "seed": 7},
    data=DataFacts("breast_cancer.csv", DATA_V1, "md5:426", 426),
    model_digest="sha256:55bb0d1e2f3a4b5c6d7e8f90",
    model_size_bytes=1_210_000,
)
CANDIDATE = facts_of_result(replace(good_result(), model_digest="sha256:77aa1b2c3d4e5f60718293a4"))
GATES = ("accuracy >= 0.93", "roc_auc >= 0.995", "log_loss <= production * 1.1")
STEPS = tuple(
    StepProgress(name, state, NOON if seconds else None, NOON + timedelta(seconds=seconds) if seconds else None)
    for name, state, seconds in (
        ("verify", "succeeded", 0.3),
        ("apply", "succeeded", 4.2),
        ("smoke-test", "running", 0),
        ("promote", "pending", 0),
        ("report", "pending", 0),
    )
)


def judgement(*, waived: bool = True) -> Judgement:
    """One of three gates is missed, and let pass."""
    return judge(
        [parse_gate(text) for text in GATES],
        metrics={name: metric.value for name, metric in CANDIDATE.metrics.items()},
        base=None,
        production={name: metric.value for name, metric in LIVE.metrics.items()},
        waivers=[waiver("roc_auc >= 0.995", "breast-cancer")] if waived else [],
    )


def deployment(phase: DeploymentPhase, **changes: object) -> Deployment:
    whole = Deployment(
        id="dep-1a2b3c4d5e6f7081",
        kind=DeploymentKind.DEPLOY,
        repository="plain/models",
        model="breast-cancer",
        environment="production",
        number=3,
        branch="more-trees",
        sha=HEAD,
        trigger="comment:7:1",
        requested_by="alice",
        requested_at=NOON,
        phase=phase,
        rule=RULE,
        run_id="run-1a2b3c4d5e6f7081",
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # the names and types are those of Deployment's fields


def line(phase: DeploymentPhase, **changes: object) -> DeploymentLine:
    own = {"approved_by", "barred", "place", "progress", "candidate", "live", "judgement", "request_body"}
    facts = {name: value for name, value in changes.items() if name in own}
    about = deployment(phase, **{name: value for name, value in changes.items() if name not in own})
    whole = DeploymentLine(about, candidate=CANDIDATE, live=LIVE)
    return replace(whole, **facts)  # type: ignore[arg-type]  # the names and types are those of DeploymentLine's fields


BARRED = {"alice": "asked for this deployment", "dave": "wrote this change"}
WAITING = line(DeploymentPhase.WAITING_FOR_APPROVAL, approved_by=("carol",), barred=BARRED, judgement=judgement())
STAGING = {"environment": "staging", "id": "dep-0000000000000057", "rule": DeployEnvironment(), "version": "v1.3.0"}


def report(*lines: DeploymentLine, states: tuple[ModelState, ...] = ()) -> Report:
    return build_report(SUBJECT, states, target_branch="main", links=LINKS, deployments=lines)


def compared() -> ModelState:
    made = run(Phase.SUCCEEDED, good_result(), gates=(*GATES[:1], "accuracy >= production - 0.005"))
    return ModelState(made, base=BASE_RUN, production=LIVE, plots=PARSED)


STORIES: dict[str, Report] = {
    "with_its_model": report(WAITING, line(DeploymentPhase.LIVE, **STAGING), states=(compared(),)),
    "waiting_for_approval": report(WAITING),
    "first_version": report(
        line(
            DeploymentPhase.WAITING_FOR_APPROVAL,
            rule=DeployEnvironment(approvals=1),
            live=None,
            judgement=judgement(),
        )
    ),
    "approvals_voided": report(
        replace(
            WAITING, approved_by=(), deployment=replace(WAITING.deployment, voided=f"the head is now `{HEAD[:10]}`")
        )
    ),
    "waiting_for_run": report(
        line(DeploymentPhase.WAITING_FOR_RUN, words="It waits for run-1a2b3c4d5e6f7081.", candidate=None)
    ),
    "waiting_for_turn": report(line(DeploymentPhase.WAITING_FOR_TURN, place=2)),
    "deploying": report(
        line(DeploymentPhase.DEPLOYING, version="v1.3.0", pipeline_run="run-dd00dd00dd00dd00", progress=STEPS)
    ),
    "live": report(
        line(
            DeploymentPhase.LIVE,
            version="v1.3.0",
            live_at=NOON,
            approved_by=("carol", "erin"),
            request_body=request_body(b'{"inputs": [[17.9, 10.4, 122]], "predictions": ["malignant"]}'),
        )
    ),
    "failed": report(
        line(
            DeploymentPhase.FAILED,
            version="v1.3.0",
            pipeline_run="run-dd00dd00dd00dd00",
            words="The served model says other things than in evaluation: row 3 is `benign`, and was `malignant`.",
        )
    ),
    "rejected": report(line(DeploymentPhase.REJECTED, words="Rejected by carol: not before the audit of *@acme*")),
    "superseded": report(
        line(DeploymentPhase.SUPERSEDED, words="A newer request of this change took its place."),
    ),
    "expired": report(line(DeploymentPhase.EXPIRED, words="Nobody let it pass for 14 days.", live=None)),
    "canceled": report(line(DeploymentPhase.CANCELED, words="Given up by alice.")),
    "replaced": report(line(DeploymentPhase.REPLACED, version="v1.3.0")),
    "rollback": report(line(DeploymentPhase.LIVE, version="v1.1.0", kind=DeploymentKind.ROLLBACK)),
}
