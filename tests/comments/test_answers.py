"""What somebody reads who asks for a deployment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.comments import render_deploy_answer, render_gate_refusal
from bot.domain.deployment import DeploymentKind, DeploymentPhase
from bot.domain.project import DeployEnvironment
from bot.domain.report_deployments import DeploymentLine
from tests.comments.deployment_samples import BARRED, judgement, line
from tests.comments.report_samples import LINKS

PAGE = "[`dep-1a2b3c4d5e6f7081`](https://bot.example.com/deployments/dep-1a2b3c4d5e6f7081)"
PINNED = "commit `3f2a9c1d5e`, model `sha256:77aa1b2c3d4e`, data `9f8e7d6c5b`"


def test_unmet_gates_are_answered_with_their_table_and_the_way_past_them() -> None:
    answer = render_gate_refusal(
        judgement(waived=False),
        model="breast-cancer",
        environment="production",
        run_id="run-1a2b3c4d5e6f7081",
        links=LINKS,
        overriders=("@acme/ml-leads",),
    )

    assert answer == "\n".join(
        [
            (
                "`breast-cancer` is not deployed to `production`: 1 of 3 gates missed: roc_auc >= 0.995 "
                "([run `run-1a2b3c4d5e6f7081`](https://bot.example.com/runs/run-1a2b3c4d5e6f7081))."
            ),
            "",
            "| metric | value | requirement | result | reason |",
            "| :-- | --: | :-- | :-- | :-- |",
            "| `roc_auc` | 0.9914 | `>= 0.995` | ✗ missed | 0.9914 is not >= 0.995 |",
            "| `accuracy` | 0.95804 | `>= 0.93` | ✓ passed |  |",
            "| `log_loss` | 0.1321 | `<= 0.187 (production 0.17 * 1.1)` | ✓ passed |  |",
            "",
            (
                "Train a better one. Or let it pass all the same, with a reason: `/override roc_auc <reason>`, by "
                "`@acme/ml-leads`; then `/deploy production breast-cancer` again."
            ),
        ]
    )


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (
            line(DeploymentPhase.WAITING_FOR_APPROVAL, barred=BARRED),
            (
                f"is accepted as {PAGE}, {PINNED}: it waits for 2 approvals by `@acme/ml-leads` or `carol`, but not by "
                "`alice` (asked for this deployment) or `dave` (wrote this change). They write `/approve production`."
            ),
        ),
        (
            line(DeploymentPhase.WAITING_FOR_APPROVAL, rule=DeployEnvironment(approvals=1)),
            (
                f"is accepted as {PAGE}, {PINNED}: it waits for one approval by somebody with write permission. "
                "They write `/approve production`."
            ),
        ),
        (
            line(DeploymentPhase.WAITING_FOR_TURN, place=2, rule=DeployEnvironment()),
            f"is accepted as {PAGE}, {PINNED}: it waits for its turn, place 2, and then starts by itself.",
        ),
        (
            line(DeploymentPhase.WAITING_FOR_TURN, rule=DeployEnvironment()),
            f"is accepted as {PAGE}, {PINNED}: it starts now.",
        ),
    ],
)
def test_an_accepted_deployment_is_answered_with_what_it_is_pinned_to_and_what_it_waits_for(
    asked: DeploymentLine, answer: str
) -> None:
    assert render_deploy_answer(asked, links=LINKS) == f"- `breast-cancer` to `production` {answer}"


def test_what_is_not_trained_yet_queues_behind_its_run() -> None:
    asked = line(DeploymentPhase.WAITING_FOR_RUN, candidate=None)

    answer = render_deploy_answer(asked, links=LINKS, waits_for_run="run-77", superseded=1)

    assert answer == (
        f"- `breast-cancer` to `production` is accepted as {PAGE}, commit `3f2a9c1d5e`: it goes live when "
        "[`run-77`](https://bot.example.com/runs/run-77) has ended well and met its gates, and 2 approvals by "
        "`@acme/ml-leads` or `carol`. It takes the place of an earlier request."
    )


def test_what_is_on_its_way_already_is_not_asked_for_twice() -> None:
    asked = line(DeploymentPhase.DEPLOYING, version="v1.3.0", candidate=None)

    assert render_deploy_answer(asked, links=LINKS, is_new=False) == (
        f"- `breast-cancer` to `production` is on its way already, as {PAGE} (`v1.3.0`): its steps are running."
    )


def test_a_rollback_names_the_version_and_links_nothing_where_nobody_serves_pages() -> None:
    asked = line(
        DeploymentPhase.WAITING_FOR_TURN, kind=DeploymentKind.ROLLBACK, version="v1.1.0", rule=DeployEnvironment()
    )

    assert render_deploy_answer(replace(asked, candidate=None), links=None) == (
        "- `breast-cancer` back to `production` is accepted as `dep-1a2b3c4d5e6f7081`, `v1.1.0`: it starts now."
    )
