"""What the operator asks for without a change, with real git and tags."""

from __future__ import annotations

import itertools

import pytest

from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase
from bot.domain.errors import UserError
from bot.usecases import reruns
from bot.usecases.deployments.by_operator import Rebuilt, Wish, deploy_by_operator, rebuild, rollback_by_operator
from bot.usecases.deployments.overview import is_environment, seen_line, served_places
from tests.usecases.kit import KEY, Place
from tests.usecases.test_deployments import DIGEST, PROJECT, Deployments

_NUMBERS = itertools.count()


@pytest.fixture
def deployed(place: Place) -> Deployments:
    return Deployments(place)


def wish(environment: str = "staging", **fields: str) -> Wish:
    return Wish(KEY, environment, by="olga", source=f"api:{next(_NUMBERS)}", **fields)


def served(deployed: Deployments, deployment: Deployment) -> Deployment:
    """Carried out to its end."""
    deployed.place.converge()
    now = deployed.place.store.deployment(deployment.id)
    assert now is not None
    deployed.carry_out(now)
    live = deployed.place.store.deployment(deployment.id)
    assert live is not None
    return live


def refusal(deployed: Deployments, asked: Wish) -> str:
    with pytest.raises(UserError) as raised:
        deploy_by_operator(asked, deployed.place.world)
    return f"{raised.value.problem} {raised.value.fix}"


def test_the_default_branchs_newest_result_is_deployed_and_recorded_with_who_asked(deployed: Deployments):
    asked = deploy_by_operator(wish(model="churn"), deployed.place.world)
    live = served(deployed, asked)

    assert (asked.number, asked.requested_by, asked.kind) == (None, "olga", DeploymentKind.DEPLOY)
    assert (live.phase, live.version, live.assignment) == (DeploymentPhase.LIVE, "v1.0.0", "churn#staging#1")
    (entry,) = [one for one in deployed.place.store.ledger(limit=500) if one.action == "deploy_asked"]
    assert (entry.actor, entry.subject) == ("olga", asked.id)
    assert entry.details["source"].startswith("api:")


def test_a_registered_version_is_deployed_as_it_is_whatever_the_branch_holds_now(deployed: Deployments):
    deployed.deploy()  # v1.1.0
    live = served(deployed, deploy_by_operator(wish(model="churn", version="v1.0.0"), deployed.place.world))

    assert (live.phase, live.version, live.digest) == (DeploymentPhase.LIVE, "v1.0.0", "0" * 64)
    assert deployed.place.serving.split("staging", "churn") == {"v1.1.0": 0, "v1.0.0": 100}
    assert [tag for tag in deployed.tags() if "@" in tag] == ["refs/tags/churn@v1.0.0", "refs/tags/churn@v1.1.0"]


def test_asked_for_twice_it_is_on_its_way_once(deployed: Deployments):
    first = deploy_by_operator(wish(model="churn", version="v1.0.0"), deployed.place.world)
    second = deploy_by_operator(wish(model="churn", version="v1.0.0"), deployed.place.world)

    assert second.id == first.id
    assert len(deployed.all()) == 1


def test_where_approvals_are_needed_it_is_asked_for_on_a_change(deployed: Deployments):
    newest = refusal(deployed, wish("production", model="churn"))
    named = refusal(deployed, wish("production", model="churn", version="v1.0.0"))

    expected = (
        "`production` needs one approval, and here is no change to give them on. Ask on a change: `/deploy production`."
    )
    assert (newest, named) == (expected, expected)
    assert deployed.all() == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (wish(model="chrun"), "There is no model `chrun`. Did you mean `churn`?"),
        (wish("stagging", model="churn"), "`churn` has no environment `stagging`."),
        (wish(model="churn", version="v9.0.0"), "`churn` has no version `v9.0.0`. There are `v1.0.0`."),
        (wish(model="churn", version="latest"), "`churn` has no version `latest`."),
        (wish(version="v1.0.0"), "Name the model of the version."),
        (Wish("plain/modles", "staging"), "No repository `plain/modles` is watched. Did you mean `plain/models`?"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_what_there_is(deployed: Deployments, asked: Wish, said: str):
    assert said in refusal(deployed, asked)


def test_a_version_that_serves_already_is_not_deployed_again(deployed: Deployments):
    deployed.deploy()

    assert refusal(deployed, wish(model="churn", version="v1.1.0")) == "`v1.1.0` serves in `staging` already. "


def test_an_environment_of_merged_commits_takes_no_version_of_an_open_change(deployed: Deployments):
    deployed.deploy()  # v1.1.0 is of the change
    place = deployed.place
    place.commit("main", mlops_yaml=PROJECT.replace("staging: {}", "staging: {}\n        live: {from: default-branch}"))
    place.look()

    said = refusal(deployed, wish("live", model="churn", version="v1.1.0"))

    assert said == "`v1.1.0` was made of a commit that is not on `main`. `live` takes only merged commits."
    taken = deploy_by_operator(wish("live", model="churn", version="v1.0.0"), place.world)
    assert taken.phase is DeploymentPhase.WAITING_FOR_TURN


def test_a_rollback_brings_what_served_before_without_approval(deployed: Deployments):
    deployed.deploy()
    served(deployed, deploy_by_operator(wish(model="churn", version="v1.0.0"), deployed.place.world))

    back = served(deployed, rollback_by_operator(wish(), deployed.place.world))

    assert (back.kind, back.phase, back.version) == (DeploymentKind.ROLLBACK, DeploymentPhase.LIVE, "v1.1.0")
    assert back.requested_by == "olga"
    assert "rollback_asked" in deployed.actions()


def test_the_index_is_made_anew_from_the_tags_alone(deployed: Deployments):
    deployed.deploy()
    store = deployed.place.store
    before = (store.versions(), store.assignments())
    with store.transaction() as tx:
        for assignment in before[1]:
            tx.remove_assignment(assignment)

    found = rebuild(deployed.place.world)

    assert found == [Rebuilt(KEY, versions=2, assignments=1)]
    assert (store.versions(), store.assignments()) == before


def test_tags_that_say_nothing_to_serve_are_named(deployed: Deployments):
    worktree = deployed.place.worktree
    worktree.git("tag", "--annotate", "--message", "by hand", "churn@v7.0.0", "main")
    worktree.git("push", "--quiet", "origin", "churn@v7.0.0")

    (found,) = rebuild(deployed.place.world)

    assert found.versions == 1
    assert found.unreadable == ("churn@v7.0.0: Its commit has no mlops.lock: the tag was not made by the bot.",)


def test_what_serves_and_what_is_on_its_way_is_seen_of_each_place(deployed: Deployments):
    deployed.deploy()
    deployed.say("/deploy production")

    production, staging = served_places(deployed.place.world)

    known = [is_environment(name, deployed.place.world) for name in ("production", "staging", "canary")]
    assert known == [True, True, False]
    assert (staging.environment, staging.version_name, staging.on_their_way) == ("staging", "v1.1.0", ())
    assert [(one.version, one.percent, one.observed.state) for one in staging.answering] == [("v1.1.0", 100, "ready")]
    assert (production.environment, production.assignment, production.version_name) == ("production", None, "")
    assert [line.deployment.phase for line in production.on_their_way] == [DeploymentPhase.WAITING_FOR_APPROVAL]


def test_a_deployment_is_seen_with_its_gates_and_what_it_is_compared_with_without_asking_the_forge(
    deployed: Deployments,
):
    deployed.deploy()
    deployed.say("/deploy production")
    deployed.say("/approve production", author="bob")

    line = seen_line(deployed.newest("production"), deployed.place.world)

    assert line.approved_by == ("bob",)
    assert line.candidate is not None
    assert line.candidate.model_digest == DIGEST
    assert line.judgement is not None
    assert line.judgement.verdict == "passed"
    assert line.live is None


def test_the_run_of_a_deployment_is_not_run_again_and_its_cancel_gives_the_deployment_up(deployed: Deployments):
    deployed.say("/deploy staging")
    on_its_way = deployed.newest()

    with pytest.raises(UserError, match="not run again by itself") as raised:
        reruns.rerun(on_its_way.pipeline_run, by="olga", trigger="page:1", world=deployed.place.world)
    reruns.cancel(on_its_way.pipeline_run, by="olga", world=deployed.place.world)

    assert raised.value.fix == "Deploy again from the change: `/deploy <environment>`."
    assert deployed.newest().cancel_requested_by == "olga"
