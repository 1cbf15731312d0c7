"""Where a deployment stands, in the words and buttons of its check."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.check import Check, CheckAction, CheckStatus, Conclusion
from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase
from bot.domain.links import Links
from bot.domain.project import DeployEnvironment
from bot.domain.report import ModelState, build_report
from bot.domain.report_checks import actions_of, approval_check, checks_of, is_deployment_check, moved_check
from bot.domain.report_deployment_words import next_step, people_words, served_words
from bot.domain.report_deployments import DeploymentLine, shown_deployments
from bot.domain.report_versions import VersionFacts, facts_of_result, facts_of_version
from bot.domain.report_words import overall_symbol, overall_words
from bot.domain.result import DataSummary, Metric
from bot.domain.run import Phase, StepProgress
from bot.domain.version import VersionLock, VersionNumber
from tests.domain.test_report_standing import GOOD, NOW, SHA, SUBJECT, run

LINKS = Links("http://bot")
RULE = DeployEnvironment(approvals=2, approvers=("@acme/ml-leads", "alice"))
STEPS = (
    StepProgress("verify", "succeeded", NOW, NOW),
    StepProgress("apply", "running", NOW),
    StepProgress("promote", "pending"),
)
APPROVE = CheckAction("approve", "Approve", "Let this model go live")
REJECT = CheckAction("reject", "Reject", "Turn this deployment down")


def deployment(phase: DeploymentPhase, **changes: object) -> Deployment:
    whole = Deployment(
        id="dep-1",
        kind=DeploymentKind.DEPLOY,
        repository="plain/models",
        model="churn",
        environment="production",
        number=3,
        branch="topic",
        sha=SHA,
        trigger="comment:1:1",
        requested_by="alice",
        requested_at=NOW,
        phase=phase,
        rule=RULE,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]  # the names and types are those of Deployment's fields


def line(phase: DeploymentPhase, **changes: object) -> DeploymentLine:
    return DeploymentLine(deployment(phase, **changes))


@pytest.mark.parametrize(
    ("shown", "status", "conclusion", "title"),
    [
        (
            line(DeploymentPhase.WAITING_FOR_RUN),
            CheckStatus.QUEUED,
            None,
            "Waits until it is trained and measured",
        ),
        (
            replace(line(DeploymentPhase.WAITING_FOR_APPROVAL), approved_by=("bob",)),
            CheckStatus.COMPLETED,
            Conclusion.ACTION_REQUIRED,
            "Waits for approval, 1 of 2",
        ),
        (
            replace(line(DeploymentPhase.WAITING_FOR_TURN), place=2),
            CheckStatus.QUEUED,
            None,
            "Waits for its turn, place 2",
        ),
        (line(DeploymentPhase.REGISTERING), CheckStatus.IN_PROGRESS, None, "Being registered as a version"),
        (
            replace(line(DeploymentPhase.DEPLOYING), progress=STEPS),
            CheckStatus.IN_PROGRESS,
            None,
            "Deploying: apply, step 2 of 3",
        ),
        (
            line(DeploymentPhase.DEPLOYING, cancel_requested_by="bob"),
            CheckStatus.IN_PROGRESS,
            None,
            "Being given up",
        ),
        (
            line(DeploymentPhase.LIVE, live_at=NOW),
            CheckStatus.COMPLETED,
            Conclusion.SUCCESS,
            "Live since 2026-11-23 00:00 UTC",
        ),
        (
            line(DeploymentPhase.REPLACED),
            CheckStatus.COMPLETED,
            Conclusion.NEUTRAL,
            "Was live, until another version took its place",
        ),
        (line(DeploymentPhase.FAILED), CheckStatus.COMPLETED, Conclusion.FAILURE, "Failed"),
        (line(DeploymentPhase.REJECTED), CheckStatus.COMPLETED, Conclusion.NEUTRAL, "Rejected"),
        (
            line(DeploymentPhase.SUPERSEDED),
            CheckStatus.COMPLETED,
            Conclusion.CANCELED,
            "Superseded by a newer request",
        ),
        (line(DeploymentPhase.EXPIRED), CheckStatus.COMPLETED, Conclusion.CANCELED, "Expired"),
        (line(DeploymentPhase.CANCELED), CheckStatus.COMPLETED, Conclusion.CANCELED, "Canceled"),
    ],
    ids=lambda value: str(value.deployment.phase) if isinstance(value, DeploymentLine) else "",
)
def test_the_check_of_a_deployment_says_where_it_stands_and_has_buttons_while_it_waits_for_approval(
    shown: DeploymentLine, status: CheckStatus, conclusion: Conclusion | None, title: str
) -> None:
    waits = shown.deployment.phase is DeploymentPhase.WAITING_FOR_APPROVAL
    assert approval_check(shown, LINKS) == Check(
        name="mlops/churn/production",
        sha=SHA,
        status=status,
        conclusion=conclusion,
        title=title,
        summary="",
        details_url="http://bot/deployments/dep-1",
        actions=(APPROVE, REJECT) if waits else (),
    )


def test_every_phase_has_words_and_every_button_fits_the_forges_limits() -> None:
    for phase in DeploymentPhase:
        check = approval_check(line(phase), None)
        assert check.title
        assert (check.conclusion is None) == (check.status is not CheckStatus.COMPLETED)
        assert all(
            len(one.id) <= 20 and len(one.label) <= 20 and len(one.description) <= 40 for one in actions_of(check)
        )


def test_the_check_of_a_model_is_told_from_that_of_a_deployment_by_its_name() -> None:
    assert [is_deployment_check(name) for name in ("mlops", "mlops/churn", "mlops/churn/production", "ci/a/b")] == [
        *(False, False, True, False)
    ]


def test_of_several_deployments_into_one_place_the_newest_has_the_check() -> None:
    live = line(DeploymentPhase.LIVE, id="dep-0")
    waiting = line(DeploymentPhase.WAITING_FOR_APPROVAL, requested_at=NOW + timedelta(hours=1))
    elsewhere = line(DeploymentPhase.LIVE, environment="staging", id="dep-2")

    checks = checks_of(build_report(SUBJECT, (), links=LINKS, deployments=[waiting, live, elsewhere]))

    assert {check.name: check.details_url for check in checks} == {
        "mlops/churn/production": "http://bot/deployments/dep-1",
        "mlops/churn/staging": "http://bot/deployments/dep-2",
    }


def test_a_commit_that_its_deployment_has_left_asks_for_nothing_any_more() -> None:
    left = moved_check("mlops/churn/production", "b" * 40, LINKS, deployment(DeploymentPhase.WAITING_FOR_APPROVAL))

    assert (left.sha, left.conclusion, left.title) == (
        *("b" * 40, Conclusion.NEUTRAL),
        "Follows the change: it is now about aaaaaaaaaa",
    )
    assert actions_of(left) == ()
    assert moved_check("mlops/churn/production", SHA, LINKS).title == "Nothing is deployed from here"


def test_a_report_shows_what_is_on_its_way_and_the_newest_of_each_place() -> None:
    hour = timedelta(hours=1)
    first = deployment(DeploymentPhase.REPLACED, id="dep-1")
    second = deployment(DeploymentPhase.FAILED, id="dep-2", requested_at=NOW + hour)
    on_its_way = deployment(DeploymentPhase.DEPLOYING, id="dep-3", requested_at=NOW - hour)
    other = deployment(DeploymentPhase.LIVE, id="dep-4", environment="staging", requested_at=NOW - 2 * hour)

    shown = shown_deployments([first, second, on_its_way, other])

    assert [one.id for one in shown] == ["dep-2", "dep-3", "dep-4"]


@pytest.mark.parametrize(
    ("lines", "symbol", "words"),
    [
        ((line(DeploymentPhase.WAITING_FOR_APPROVAL),), "✓", "`churn`: 1 gate passed; `production` waits for approval"),
        ((line(DeploymentPhase.DEPLOYING),), "✓", "`churn`: 1 gate passed; deploying to `production`"),
        (
            (line(DeploymentPhase.LIVE), line(DeploymentPhase.LIVE, environment="staging")),
            *("✓", "`churn`: 1 gate passed; live in `production`, live in `staging`"),
        ),
        ((line(DeploymentPhase.FAILED),), "✗", "`churn`: 1 gate passed; deployment to `production` failed"),
        ((line(DeploymentPhase.CANCELED),), "✓", "`churn`: 1 gate passed"),
    ],
)
def test_the_first_line_tells_what_nobody_should_miss(
    lines: tuple[DeploymentLine, ...], symbol: str, words: str
) -> None:
    report = build_report(SUBJECT, [ModelState(run(Phase.SUCCEEDED))], deployments=lines)

    assert (overall_symbol(report), overall_words(report)) == (symbol, words)


def test_without_a_run_the_first_line_is_about_the_deployment() -> None:
    report = build_report(SUBJECT, (), deployments=[line(DeploymentPhase.REJECTED)])

    assert (overall_symbol(report), overall_words(report)) == ("–", "`churn` to `production`: rejected")


def test_each_phase_that_people_can_act_on_names_the_command() -> None:
    steps = {phase: next_step(line(phase, replaces="dep-0")) for phase in DeploymentPhase}

    assert steps[DeploymentPhase.WAITING_FOR_APPROVAL] == (
        "To let it go live: `/approve production`. To turn it down: `/reject production <reason>`."
    )
    assert steps[DeploymentPhase.LIVE] == "To go back to what served before: `/rollback production churn`."
    assert next_step(line(DeploymentPhase.LIVE)) == ""  # nothing served before it
    assert steps[DeploymentPhase.FAILED] == "Once that is mended, `/deploy production churn` asks for it again."
    assert [phase for phase, words in steps.items() if not words] == [
        DeploymentPhase.REPLACED,
        DeploymentPhase.SUPERSEDED,
    ]
    back = line(DeploymentPhase.EXPIRED, kind=DeploymentKind.ROLLBACK, version="v1.2.0")
    assert next_step(back) == ("On an open or merged change, `/rollback production churn v1.2.0` asks for it again.")


def test_who_may_approve_is_told_by_name() -> None:
    assert people_words(()) == "somebody with write permission"
    assert people_words(("alice",)) == "`alice`"
    assert people_words(RULE.approvers) == "`@acme/ml-leads` or `alice`"
    assert people_words([f"p{number}" for number in range(20)]).endswith("`p11` or 8 more")


def test_what_serves_after_a_failure_is_said() -> None:
    failed = line(DeploymentPhase.FAILED)
    former = VersionFacts("v1.2.0", "production", SHA)

    assert served_words(failed) == "Nothing serves in `production`."
    assert served_words(replace(failed, live=former)) == "`v1.2.0` serves in `production`, as before."


def test_a_version_and_a_result_tell_the_same_facts() -> None:
    data = DataSummary("plain/datasets", "d" * 40, "churn.csv", "md5:1", 1, 100, 10)
    result = replace(GOOD, data=data, params={"depth": 3}, split={"seed": 7}, model_digest="m", model_size_bytes=9)
    lock = VersionLock(
        model="churn",
        number=VersionNumber(1, 2, 0),
        sha=SHA,
        run_id="run-1",
        run_key="key",
        pipeline_version="v1",
        artifacts="file:///runs/run-1",
        model_digest="m",
        model_size_bytes=9,
        code_digest="c",
        model_path=".",
        serve="sklearn",
        data_sha="d" * 40,
        data_path="churn.csv",
        data_digest="md5:1",
        data_rows=10,
        params={"depth": 3},
        split={"seed": 7},
        metrics={"auc": Metric(0.9)},
    )

    served = facts_of_version(lock, environment="production")

    assert replace(served, version="", environment="") == facts_of_result(result)
    assert (served.version, served.environment) == ("v1.2.0", "production")


def test_gates_on_production_compare_with_the_version_that_serves_there() -> None:
    served = VersionFacts("v1.2.0", "production", SHA, metrics={"auc": Metric(0.95, 0.1), "gone": Metric(1.0)})
    gated = run(Phase.SUCCEEDED, gates=("auc >= production - 0.01",))

    [model] = build_report(SUBJECT, [ModelState(gated, production=served)]).models

    assert model.judgement is not None
    assert model.judgement.summary == "1 of 1 gate missed: auc >= production - 0.01"
    auc, gone = model.metrics
    assert auc.production is not None
    assert gone.production is not None
    assert (auc.name, auc.base, auc.production.was, auc.production.trend, auc.production.within_std) == (
        *("auc", None, Metric(0.95, 0.1)),
        *("worse", True),
    )
    assert (gone.now, gone.production.was, gone.production.delta) == (None, Metric(1.0), None)
