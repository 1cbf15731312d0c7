"""The step `promote`: shares, holds, and what ends a canary."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.result import FailureKind
from pipelines.steps.promote import is_clearly_over
from tests.pipelines.deploy_kit import Deploy
from tests.pipelines.kit import failure_of

FORMER = (
    "The former version has all requests again. Compare the two with its predictions and logs before you try again."
)


def traffic(requests: int, errors: int = 0, p99_ms: float | None = 8.2) -> dict[str, Any]:
    return {"requests": requests, "errors": errors, "p99_ms": p99_ms}


def test_a_canary_goes_from_share_to_share_and_tells_what_each_saw(deploy: Deploy):
    deploy.canary(10, 50, 100, max_error_rate=0.01, max_latency_ms=50.0)
    deploy.bot.traffic = {10: [traffic(1203)], 50: [traffic(1, 0, 0.42)]}

    result = deploy.run()

    assert result.state == "succeeded"
    assert deploy.bot.asked == ["apply", "promote 10", "promote 50", "promote 100"]
    assert deploy.log("promote") == [
        "10 % of the requests go to churn v1.3.0, for 0.05 s.",
        "10 % for 0.05 s: 1,203 requests, 0 errors, p99 8.2 ms.",
        "50 % of the requests go to churn v1.3.0, for 0.05 s.",
        "50 % for 0.05 s: 1 request, 0 errors, p99 0.42 ms.",
        "churn v1.3.0 answers all requests in production.",
    ]


def test_a_canary_without_traffic_is_said_and_goes_on(deploy: Deploy):
    deploy.canary(10, max_error_rate=0.0, max_latency_ms=1.0)

    assert deploy.run().state == "succeeded"
    assert "10 % for 0.05 s: no requests came, so there is nothing to judge it by." in deploy.log("promote")


def test_a_canary_whose_requests_nobody_counts_is_said_not_to_be_judged(deploy: Deploy):
    deploy.canary(10, max_error_rate=0.0, max_latency_ms=1.0)
    deploy.bot.traffic = {10: [{**traffic(0), "is_measured": False}]}

    assert deploy.run().state == "succeeded"
    assert "10 % for 0.05 s: serving does not count requests here, so its limits were not looked at." in deploy.log(
        "promote"
    )


def test_errors_end_a_canary_after_its_hold(deploy: Deploy):
    deploy.canary(10, 50, max_error_rate=0.01)
    deploy.bot.traffic = {10: [traffic(100, 1)], 50: [traffic(1500, 16)]}

    failure = failure_of(deploy.run())

    assert (failure.step, failure.kind, failure.fix) == ("promote", FailureKind.CANARY, FORMER)
    assert failure.message == (
        "With 50 % of the requests, 16 of 1,500 were answered with an error (1.07 %); at most 1 % are allowed."
    )
    assert deploy.bot.asked == ["apply", "promote 10", "promote 50"]


def test_errors_that_can_not_be_chance_end_a_canary_at_once(deploy: Deploy):
    deploy.canary(10, hold_s=3600.0, max_error_rate=0.05)
    deploy.bot.traffic = {10: [traffic(0), traffic(4, 4), traffic(24, 20)]}

    failure = failure_of(deploy.run())

    assert failure.kind is FailureKind.CANARY
    assert failure.message == (
        "With 10 % of the requests, 20 of 24 were answered with an error (83.3 %); at most 5 % are allowed."
    )


@pytest.mark.parametrize(
    ("requests", "errors", "limit", "is_over"),
    [
        (19, 19, 0.01, False),  # too few to know
        (20, 1, 0.0, True),
        (20, 1, 0.01, False),
        (20, 2, 0.01, True),
        (10_000, 120, 0.01, False),
        (10_000, 131, 0.01, True),
        (100, 100, 1.0, False),
    ],
)
def test_a_rate_is_clearly_over_its_limit_beyond_what_chance_does(
    requests: int, errors: int, limit: float, *, is_over: bool
):
    assert is_clearly_over(requests, errors, limit) is is_over


def test_latency_ends_a_canary_after_its_hold(deploy: Deploy):
    deploy.canary(25, max_latency_ms=50.0)
    deploy.bot.traffic = {25: [traffic(300, 0, 1234.5)]}

    failure = failure_of(deploy.run())

    assert (failure.kind, failure.fix) == (FailureKind.CANARY, FORMER)
    assert failure.message == (
        "With 25 % of the requests, its 99th percentile was 1,234 ms; at most 50 ms are allowed."
    )


def test_without_limits_errors_and_latency_are_only_told(deploy: Deploy):
    deploy.canary(10)
    deploy.bot.traffic = {10: [traffic(40, 40, None)]}

    assert deploy.run().state == "succeeded"
    assert "10 % for 0.05 s: 40 requests, 40 errors." in deploy.log("promote")


@pytest.mark.parametrize("share", [10, 100])
def test_a_server_that_dies_while_it_takes_over_ends_the_deployment(deploy: Deploy, share: int):
    deploy.canary(10)
    deploy.bot.ends_at = share

    failure = failure_of(deploy.run())

    assert (failure.step, failure.kind) == ("promote", FailureKind.SERVING)
    assert failure.message == "churn v1.3.0 stopped serving while it was taking over: its process was ended by SIGKILL"


def test_a_deployment_that_is_canceled_during_its_hold_ends_there(deploy: Deploy):
    deploy.canary(10, hold_s=3600.0)
    deploy.bot.canceled_at = 5

    failure = failure_of(deploy.run())

    assert (failure.step, failure.kind) == ("promote", FailureKind.REFUSED)
    assert failure.message == "bob canceled this deployment."


def test_a_server_that_is_started_again_during_its_hold_gets_no_more_before_it_is_ready(deploy: Deploy):
    deploy.canary(10)
    deploy.bot.restarts_at = 10

    assert deploy.run().state == "succeeded"
    assert deploy.bot.asked == ["apply", "promote 10", "promote 100"]
