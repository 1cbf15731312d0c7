"""Deployments as GitHub takes them: what is sent, once, and what is done when GitHub will not have it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.domain.errors import TransientError, UserError
from bot.ports.forge import DeploymentState, ForgeDeployment
from tests.fakes.github.records import Deployment
from tests.fakes.github.workshop import Workshop
from tests.forges.github.conftest import Clock

KEY = "github/Acme/models"
LIST, MAKE = "GET /repos/{owner}/{repo}/deployments", "POST /repos/{owner}/{repo}/deployments"
STATUSES, TELL = f"{LIST}/{{deployment_id}}/statuses", f"{MAKE}/{{deployment_id}}/statuses"


def live(shop: Workshop, **more: object) -> ForgeDeployment:
    given = {
        "key": "dep-1",
        "environment": "production/churn",
        "sha": shop.repo.heads["main"],
        "ref": "churn@v1.2.0",
        "state": DeploymentState.LIVE,
        "description": "churn v1.2.0 serves",
        "address": "https://models.example/churn",
        "page": "https://mlops.example/deployments/dep-1",
        "is_production": True,
    }
    return ForgeDeployment(**{**given, **more})  # type: ignore[arg-type]  # of the right types


def only(shop: Workshop) -> Deployment:
    (one,) = shop.repo.deployments
    return one


def deployment_calls(shop: Workshop) -> dict[str, int]:
    return {route: count for route, count in shop.fake.requests.items() if "/deployments" in route}


def test_a_deployment_is_of_a_commit_and_waits_for_no_checks_of_githubs(shop: Workshop) -> None:
    shop.forge.put_deployment(KEY, live(shop), known_id=None)

    made = only(shop)
    assert made.fields == {
        "ref": made.sha,
        "environment": "production/churn",
        "description": "churn v1.2.0 serves",
        "payload": {"key": "dep-1", "version": "churn@v1.2.0"},
        "auto_merge": False,
        "required_contexts": [],
        "transient_environment": False,
        "production_environment": True,
    }
    (status,) = made.statuses
    assert {name: status[name] for name in ("state", "description", "log_url", "environment_url")} == {
        "state": "success",
        "description": "churn v1.2.0 serves",
        "log_url": "https://mlops.example/deployments/dep-1",
        "environment_url": "https://models.example/churn",
    }
    assert deployment_calls(shop) == {LIST: 1, MAKE: 1, TELL: 1}


def test_words_are_cut_and_addresses_that_are_no_links_are_left_out(shop: Workshop) -> None:
    odd = live(shop, description="é" * 200, address="javascript:alert(1)", page="")

    shop.forge.put_deployment(KEY, odd, known_id=None)

    (status,) = only(shop).statuses
    assert status["description"] == only(shop).fields["description"] == "é" * 139 + "…"
    assert (status["log_url"], status["environment_url"]) == ("", "")


def test_a_status_whose_answer_was_lost_is_told_once(shop: Workshop) -> None:
    known = shop.forge.put_deployment(KEY, live(shop, state=DeploymentState.PENDING), known_id=None)
    shop.fake.fail("POST .*/statuses", is_done=True, drops=True)
    with pytest.raises(TransientError):
        shop.forge.put_deployment(KEY, live(shop), known_id=known)

    assert shop.forge.put_deployment(KEY, live(shop), known_id=known) == known

    assert [status["state"] for status in only(shop).statuses] == ["pending", "success"]


def test_an_old_servers_payload_is_json_in_a_text(shop: Workshop) -> None:
    known = shop.forge.put_deployment(KEY, live(shop), known_id=None)
    for payload in (json.dumps({"key": "dep-1"}), "{", "[1]", 7, None):
        shop.repo.deployments.append(
            Deployment(next(shop.world.ids), only_sha(shop), {**shop.repo.deployments[0].fields, "payload": payload})
        )
    shop.repo.deployments[0].fields["payload"] = json.dumps({"key": "dep-1"})
    shop.restart()

    assert shop.forge.put_deployment(KEY, live(shop), known_id=known) == known
    assert deployment_calls(shop)[MAKE] == 1


def only_sha(shop: Workshop) -> str:
    return shop.repo.deployments[0].sha


def test_one_that_somebody_deleted_is_made_anew(shop: Workshop) -> None:
    known = shop.forge.put_deployment(KEY, live(shop), known_id=None)
    shop.repo.deployments.clear()
    shop.restart()

    again = shop.forge.put_deployment(KEY, live(shop), known_id=known)

    assert again == str(only(shop).id) != known


def test_what_github_made_inactive_is_not_told_again(shop: Workshop) -> None:
    staging = {"environment": "staging/churn", "is_production": False}
    known = shop.forge.put_deployment(KEY, live(shop, **staging), known_id=None)
    shop.forge.put_deployment(KEY, live(shop, key="dep-2", **staging), known_id=None)

    shop.forge.put_deployment(KEY, live(shop, state=DeploymentState.INACTIVE, **staging), known_id=known)

    assert [status["state"] for status in shop.repo.deployments[0].statuses] == ["success", "inactive"]


def test_with_little_quota_left_only_ends_are_told(shop: Workshop, clock: Clock) -> None:
    started = live(shop, state=DeploymentState.IN_PROGRESS)
    shop.forge.permission(KEY, "Grace")
    shop.fake.quota_left = dict.fromkeys(shop.fake.quota_left, 400)
    shop.forge.permission(KEY, "Ada")

    assert shop.forge.put_deployment(KEY, started, known_id=None) == ""
    assert shop.repo.deployments == []
    until = shop.forge.saves_quota_until(KEY)
    assert until is not None
    assert 1700 < (until - clock()).total_seconds() <= 1800
    shop.forge.put_deployment(KEY, live(shop), known_id=None)
    assert only(shop).state == "success"


def test_a_commit_that_github_does_not_have_is_said(shop: Workshop) -> None:
    with pytest.raises(UserError, match="No ref found"):
        shop.forge.put_deployment(KEY, live(shop, sha="a" * 40), known_id=None)


def test_without_the_permission_only_deployments_do_not_work(shop: Workshop) -> None:
    for installation in shop.world.installations.values():
        del installation.permissions["deployments"]
    shop.opened()
    change = shop.change()

    with pytest.raises(UserError, match="Needed are `deployments: write`") as refused:
        shop.forge.put_deployment(KEY, live(shop), known_id=None)

    assert "accept them" in refused.value.fix
    assert shop.forge.put_comment(change, marker="<!-- m -->", body="<!-- m -->", known_id=None)
    shop.forge.check_health()


def test_strange_ids_are_looked_up_anew(shop: Workshop) -> None:
    for strange in ("", "../x", "٣", "9" * 30):
        shop.forge.put_deployment(KEY, live(shop, key=f"dep-{strange}"), known_id=strange)

    assert len(shop.repo.deployments) == 4


def test_a_deployment_of_another_forge_is_refused(shop: Workshop) -> None:
    with pytest.raises(UserError, match="not a repository of GitHub"):
        shop.forge.put_deployment("gitlab/Acme/models", replace(live(shop)), known_id=None)
