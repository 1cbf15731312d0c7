"""Deployments as GitLab takes them, and the environments that they lead to."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.domain.errors import TransientError, UserError
from bot.ports.forge import DeploymentState, ForgeDeployment
from tests.contracts.git_workshop import Worktree
from tests.fakes.gitlab.records import Deployment, Environment
from tests.fakes.gitlab.workshop import Workshop

KEY = "gitlab/acme/ml/models"
LIST, MAKE = "GET /projects/:id/deployments", "POST /projects/:id/deployments"
SHOW, MOVE = "GET /projects/:id/deployments/:id", "PUT /projects/:id/deployments/:id"
LINK = "PUT /projects/:id/environments/:id"


@pytest.fixture(autouse=True)
def tag(it: Workshop, tree: Worktree) -> None:
    tree.git("tag", "churn@v1.2.0")
    tree.push("refs/tags/churn@v1.2.0")
    it.sent()


def live(it: Workshop, **more: Any) -> ForgeDeployment:
    given: dict[str, Any] = {
        "key": "dep-1",
        "environment": "production/churn",
        "sha": it.project.heads["main"],
        "ref": "churn@v1.2.0",
        "state": DeploymentState.LIVE,
        "description": "churn v1.2.0 serves",
        "address": "https://models.example/churn",
        "page": "https://mlops.example/deployments/dep-1",
        "is_production": True,
    }
    return ForgeDeployment(**{**given, **more})


def only(it: Workshop) -> Deployment:
    (one,) = it.project.deployments
    return one


def test_a_deployment_is_of_a_version_and_leads_to_where_it_answers(it: Workshop) -> None:
    started = live(it, state=DeploymentState.IN_PROGRESS, address="")
    waiting = it.forge.put_deployment(KEY, live(it, state=DeploymentState.PENDING), known_id=None)
    while_waiting = it.spent()

    known = it.forge.put_deployment(KEY, started, known_id=waiting or None)
    it.forge.put_deployment(KEY, live(it), known_id=known)

    assert (waiting, while_waiting) == ("", {}), "GitLab can not show one that waits"
    one = only(it)
    assert (one.ref, one.tag, one.sha, one.status) == ("churn@v1.2.0", True, it.project.heads["main"], "success")
    assert (one.environment.external_url, one.environment.tier) == ("https://models.example/churn", "production")
    assert it.spent() == {LIST: 1, MAKE: 1, LINK: 1, MOVE: 1}


def test_one_without_a_tag_yet_is_of_its_commit(it: Workshop) -> None:
    it.forge.put_deployment(KEY, live(it, ref="", is_production=False), known_id=None)

    assert (only(it).ref, only(it).tag, only(it).environment.tier) == (it.project.heads["main"], False, "other")


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "https://models.example/" + "a" * 255])
def test_what_is_no_link_is_left_out(it: Workshop, address: str) -> None:
    it.forge.put_deployment(KEY, live(it, address=address), known_id=None)

    assert (only(it).status, only(it).environment.external_url) == ("success", None)


def test_a_link_that_gitlab_does_not_take_is_no_failure(it: Workshop) -> None:
    it.fake.fail("PUT .*/environments/", status=400, body=b'{"message":{"external_url":["is blocked"]}}')

    with capture_logs() as logs:
        it.forge.put_deployment(KEY, live(it), known_id=None)

    assert [line["event"] for line in logs] == ["environment_not_linked"]
    assert only(it).status == "success"


def test_after_a_restart_it_is_looked_at_before_it_is_moved(it: Workshop) -> None:
    known = it.forge.put_deployment(KEY, live(it), known_id=None)
    restarted = type(it.forge)(it.settings, git=it.git, clock=it.clock)
    it.spent()

    restarted.put_deployment(KEY, live(it, state=DeploymentState.INACTIVE), known_id=known)

    assert only(it).status == "success", "it was live, and GitLab shows the newest as what is"
    assert it.spent() == {SHOW: 1}


def test_a_transition_that_gitlab_refuses_as_made_already_is_no_error(it: Workshop) -> None:
    known = it.forge.put_deployment(KEY, live(it, state=DeploymentState.IN_PROGRESS), known_id=None)
    only(it).status = "success"

    assert it.forge.put_deployment(KEY, live(it), known_id=known) == known
    assert only(it).status == "success"


def test_a_version_that_gitlab_does_not_have_is_said(it: Workshop) -> None:
    with pytest.raises(UserError, match="branch or tag does not exist"):
        it.forge.put_deployment(KEY, live(it, ref="churn@v9.9.9"), known_id=None)


def test_what_a_pipeline_of_gitlabs_deploys_is_not_taken_for_ours(it: Workshop) -> None:
    place = Environment(7, "production/churn")
    it.project.environments.append(place)
    theirs = Deployment(8, place, it.project.heads["main"], "churn@v1.2.0", True, it.ada, "running")
    it.project.deployments.append(theirs)
    theirs.deployable = {"id": 1, "name": "deploy"}

    known = it.forge.put_deployment(KEY, live(it, state=DeploymentState.IN_PROGRESS), known_id=None)

    assert known != "8"
    assert len(it.project.deployments) == 2


def test_one_that_somebody_deleted_is_made_anew(it: Workshop) -> None:
    known = it.forge.put_deployment(KEY, live(it), known_id=None)
    it.project.deployments.clear()
    restarted = type(it.forge)(it.settings, git=it.git, clock=it.clock)

    assert restarted.put_deployment(KEY, live(it), known_id=known) == str(only(it).id) != known


def test_with_little_quota_left_only_ends_are_told(it: Workshop) -> None:
    it.fake.quota_left = 150
    it.forge.permission(KEY, "ada")

    assert it.forge.put_deployment(KEY, live(it, state=DeploymentState.IN_PROGRESS), known_id=None) == ""
    assert it.project.deployments == []
    until = it.forge.saves_quota_until(KEY)
    assert until is not None
    assert 50 < (until - it.clock()).total_seconds() <= 60
    it.forge.put_deployment(KEY, live(it), known_id=None)
    assert only(it).status == "success"


def test_what_may_pass_is_tried_again_later(it: Workshop) -> None:
    it.fake.fail("POST .*/deployments", status=502)

    with pytest.raises(TransientError):
        it.forge.put_deployment(KEY, live(it), known_id=None)
    assert it.project.deployments == []
