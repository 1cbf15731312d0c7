"""What was deployed on that day: three versions, two environments, and deployments in each state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bot.domain.approval import Approval, Decision
from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase
from bot.domain.feedback import LedgerEntry
from bot.domain.project import DeployEnvironment
from bot.domain.result import Failure, FailureKind, Metric, StepResult
from bot.domain.run import EngineRun, EngineState, Phase, StepProgress
from bot.domain.serving import (
    DesiredService,
    ObservedRevision,
    ObservedService,
    RevisionState,
    ServedRevision,
    Share,
    Traffic,
)
from bot.domain.version import Assignment, Version, VersionNumber, VersionPhase, version_id
from tests.fakes.serving import FakeServing
from tests.registry.samples import lock
from tests.web.kit import Workplace
from tests.web.seed import DATA_SHA, GATES, HEAD_SHA, MAIN_SHA, NOW, REPOSITORY, a_result, a_run, ago

MODEL = "breast-cancer"
RULE = DeployEnvironment(approvals=2, approvers=("@acme/ml-leads", "carol"))
THING = "t" * 32
ROWS = b'{"inputs": [[17.9, 10.4, 122]], "predictions": ["malignant"]}'


class SeenServing(FakeServing):
    """One server that is well, and one that its canary has brought to trouble."""

    def observe(self, environment: str, model: str) -> ObservedService:
        seen = super().observe(environment, model)
        return replace(seen, revisions=tuple(_restarted(one) for one in seen.revisions))

    def traffic(self, environment: str, model: str, revision_id: str) -> Traffic:
        return Traffic(1204, 3, 11.27) if revision_id.startswith("v1.1") else Traffic(120, 0, 9.5)


def _restarted(seen: ObservedRevision) -> ObservedRevision:
    return replace(seen, restarts=2) if seen.id.startswith("v1.2") else seen


@dataclass(frozen=True)
class Deployed:
    """Ids of deployments, by how they stand."""

    waiting: str = "dep-waiting00000001"
    live: str = "dep-live0000000001"
    staging: str = "dep-staging00000001"
    replaced: str = "dep-replaced000001"
    failed: str = "dep-failed00000001"
    deploying: str = "dep-deploying0001"


IDS = Deployed()


def a_version(minor: int, **fields: Any) -> Version:
    """`v1.<minor>.0`."""
    run_id = ("run-old", "run-base", "run-good")[minor]
    held = lock(
        model=MODEL,
        number=VersionNumber(1, minor, 0),
        sha=HEAD_SHA if minor == 2 else MAIN_SHA,
        run_id=run_id,
        data_sha=DATA_SHA,
        data_rows=400 + minor,
        metrics={"accuracy": Metric(0.93 + minor / 100, 0.008), "log_loss": Metric(0.2 - minor / 50)},
        gates=GATES[:3],
        waived=("roc_auc >= 0.97: known outlier (carol)",) if minor == 1 else (),
    )
    defaults: dict[str, Any] = {
        "id": version_id(REPOSITORY.key, MODEL, run_id),
        "repository": REPOSITORY.key,
        "lock": held,
        "phase": VersionPhase.REGISTERED,
        "by": "alice",
        "at": ago(hours=30 - 10 * minor),
        "commit_sha": str(minor) * 40,
    }
    return Version(**{**defaults, **fields})


def a_deployment(deployment_id: str, phase: DeploymentPhase, **fields: Any) -> Deployment:
    defaults: dict[str, Any] = {
        "id": deployment_id,
        "kind": DeploymentKind.DEPLOY,
        "repository": REPOSITORY.key,
        "model": MODEL,
        "environment": "production",
        "number": 1,
        "branch": "more-trees",
        "sha": HEAD_SHA,
        "trigger": f"comment:{deployment_id}:1",
        "requested_by": "alice",
        "requested_at": ago(minutes=7),
        "phase": phase,
        "run_id": "run-good",
        "digest": "sha256:77aa41c05d8e",
    }
    return Deployment(**{**defaults, **fields})


def seed_deployments(place: Workplace) -> Deployed:
    """On top of `seed.seed_day`."""
    versions = [a_version(minor) for minor in range(3)]
    with place.store.transaction() as tx:
        for version in versions:
            tx.add_version(version, now=NOW)
        for assignment in _assignments():
            tx.save_assignment(assignment)
        for deployment in _deployments(versions):
            tx.add_deployment(deployment, now=NOW)
        for run in _pipeline_runs():
            tx.add_run(run, now=NOW)
        for approval in _approvals():
            tx.add_approval(approval)
        for entry in _entries():
            tx.append_ledger(entry)
    steps = (
        StepProgress("verify", "succeeded", ago(seconds=9), ago(seconds=8)),
        StepProgress("apply", "succeeded", ago(seconds=8), ago(seconds=4)),
        StepProgress("smoke-test", "running", ago(seconds=4)),
        StepProgress("promote", "pending"),
        StepProgress("report", "pending"),
    )
    place.engine.runs["run-deploying"] = EngineRun("run-deploying", EngineState.RUNNING, steps)
    place.write("run-base", "golden.json", ROWS)
    _serve(place, versions)
    return IDS


def _assignments() -> list[Assignment]:
    key = REPOSITORY.key
    return [
        Assignment(key, MODEL, "production", 1, "0" * 40, "bob", ago(days=1), IDS.replaced),
        Assignment(key, MODEL, "production", 3, "1" * 40, "alice", ago(hours=4), IDS.live),
        Assignment(key, MODEL, "staging", 2, "1" * 40, "alice", ago(hours=5), IDS.staging),
    ]


def _deployments(versions: list[Version]) -> list[Deployment]:
    first, second, third = versions
    return [
        a_deployment(IDS.replaced, DeploymentPhase.REPLACED, version_id=first.id, version="v1.0.0", run_id="",
                     assignment=f"{MODEL}#production#1", live_at=ago(days=1), ended_at=ago(hours=4)),
        a_deployment(IDS.live, DeploymentPhase.LIVE, version_id=second.id, version="v1.1.0", run_id="run-base",
                     assignment=f"{MODEL}#production#3", rule=RULE, thing=THING, replaces=IDS.replaced,
                     approved_at=ago(hours=4.1), live_at=ago(hours=4), number=4, sha=MAIN_SHA),
        a_deployment(IDS.staging, DeploymentPhase.LIVE, version_id=second.id, version="v1.1.0", run_id="run-base",
                     environment="staging", live_at=ago(hours=5), number=4, sha=MAIN_SHA),
        a_deployment(IDS.waiting, DeploymentPhase.WAITING_FOR_APPROVAL, rule=RULE, thing=THING,
                     voided="the head is now `3f2a9c1d5e`"),
        a_deployment(IDS.failed, DeploymentPhase.FAILED, environment="staging", version_id=third.id, version="v1.2.0",
                     pipeline_run="run-failed-deploy", started_at=ago(minutes=20), ended_at=ago(minutes=19),
                     requested_at=ago(minutes=21),
                     words="breast-cancer v1.2.0 could not be served: `joblib` can not read <script>it</script>."),
        a_deployment(IDS.deploying, DeploymentPhase.DEPLOYING, environment="staging", version_id=third.id,
                     version="v1.2.0", pipeline_run="run-deploying", started_at=ago(seconds=9),
                     requested_at=ago(seconds=12), number=3, requested_by="bob"),
    ]  # fmt: skip


def _pipeline_runs() -> list[Any]:
    steps = (
        StepResult("verify", "succeeded", ago(minutes=20), ago(minutes=20), 0),
        StepResult("apply", "failed", ago(minutes=20), ago(minutes=19), 1,
                   log_tail=("Starting breast-cancer v1.2.0", "ModuleNotFoundError: <b>sklearn</b>")),
    )  # fmt: skip
    failure = Failure("apply", FailureKind.SERVING, "v1.2.0 could not be served", "What served before serves on.")
    failed = a_result("run-failed-deploy", pipeline="deploy", state="failed", steps=steps, metrics={}, plots=(),
                      failure=failure)  # fmt: skip
    deploy = {"pipeline": "deploy", "params": {}, "gates": (), "arguments": {}}
    return [
        a_run("run-failed-deploy", phase=Phase.FAILED, result=failed, ended_at=ago(minutes=19), **deploy),
        a_run("run-deploying", number=3, phase=Phase.RUNNING, started_at=ago(seconds=9), **deploy),
    ]


def _approvals() -> list[Approval]:
    return [
        Approval(IDS.waiting, "carol", ago(minutes=6), Decision.APPROVED, "older" * 6, "comment:90:1"),
        Approval(IDS.waiting, "carol", ago(minutes=5), Decision.APPROVED, THING, "comment:91:1"),
        Approval(IDS.live, "carol", ago(hours=4.2), Decision.APPROVED, THING, "button:92"),
        Approval(IDS.live, "erin", ago(hours=4.1), Decision.APPROVED, THING, "comment:93:1"),
    ]


def _entries() -> list[LedgerEntry]:
    key = REPOSITORY.key
    about = {"model": MODEL, "environment": "production"}
    return [
        LedgerEntry(ago(hours=20), "alice", "version_registered", key, MODEL, {"version": "v1.1.0"}),
        LedgerEntry(ago(hours=4), "alice", "deployment_live", key, IDS.live, {**about, "version": "v1.1.0"}),
        LedgerEntry(ago(minutes=5), "carol", "deployment_approved_by", key, IDS.waiting,
                    {**about, "digest": "sha256:" + "d" * 64, "reason": "<i>fine</i>"}),
        LedgerEntry(ago(minutes=4), "bob", "run_succeeded", key, "run-good", {"model": "diabetes"}),
    ]  # fmt: skip


def _serve(place: Workplace, versions: list[Version]) -> None:
    _, second, third = (_revision(version) for version in versions)
    serving = SeenServing()
    serving.apply(DesiredService(REPOSITORY.key, "production", MODEL, (Share(second, 100),)))
    serving.apply(DesiredService(REPOSITORY.key, "staging", MODEL, (Share(second, 90), Share(third, 10))))
    serving.states[third.id] = RevisionState.STARTING
    site = place.app.state.site
    place.app.state.site = replace(site, world=replace(site.world, serving=serving))


def _revision(version: Version) -> ServedRevision:
    number = str(version.lock.number)
    return ServedRevision(number, number, version.lock.sha, "", version.lock.model_digest, "sklearn", "", "", "")
