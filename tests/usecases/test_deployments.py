"""Deployments with everything real but engine and serving: who may, when, in which order, and what is recorded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.change import ChangeState
from bot.domain.check import Conclusion
from bot.domain.deployment import EXPIRES_AFTER, Deployment, DeploymentPhase
from bot.domain.errors import UserError
from bot.domain.result import Failure, FailureKind
from bot.domain.run import Run
from bot.domain.server_policy import EnvironmentPolicy, RepositoryPolicy
from bot.domain.version import VersionPhase
from bot.ports.store import Kind
from bot.usecases.deployments.loop import give_up
from bot.usecases.deployments.serving import give_share, heal, start_beside
from tests.usecases.kit import KEY, Place

PROJECT = """
version: 1
models:
  churn:
    path: churn
    train: {run: python train.py}
    evaluate:
      run: python evaluate.py
      gates: [accuracy >= 0.9, accuracy >= production - 0.01]
    deploy:
      serve: sklearn
      environments:
        staging: {}
        production: {approvals: 1}
"""
DIGEST = "d" * 64


class Deployments:
    """A repository whose model is deployed, with a change whose head was trained."""

    def __init__(self, place: Place) -> None:
        self.place = place
        main = place.commit(mlops_yaml=PROJECT, churn__train_py="print('churn')")
        place.look()
        self.end(place.run(main), digest="0" * 64)
        self.head = place.commit("better", churn__train_py="print('better')")
        place.look()
        self.end(place.run(self.head))

    def end(self, run: Run, *, accuracy: float = 0.95, digest: str = DIGEST) -> None:
        self.place.end(run, accuracy=accuracy, model_digest=digest, model_size_bytes=10)

    def say(self, body: str, *, author: str = "ada") -> str:
        post = self.place.say(body, author=author)
        self.place.converge()
        return self.place.answer(post)

    def all(self, environment: str = "") -> list[Deployment]:
        """The oldest first."""
        found = reversed(self.place.store.deployments(limit=100))
        return [one for one in found if environment in ("", one.environment)]

    def newest(self, environment: str = "") -> Deployment:
        return self.all(environment)[-1]

    def phase(self, environment: str = "") -> DeploymentPhase:
        return self.newest(environment).phase

    def carry_out(self, deployment: Deployment) -> None:
        """What the pipeline does when all goes well."""
        start_beside(deployment.pipeline_run, self.place.world)
        give_share(deployment.pipeline_run, 100, self.place.world)
        self.end_pipeline(deployment)

    def end_pipeline(self, deployment: Deployment, failure: Failure | None = None) -> None:
        run = self.place.store.run(deployment.pipeline_run)
        assert run is not None
        self.place.end(run, failure=failure, metrics={})

    def deploy(self, environment: str = "staging") -> Deployment:
        self.say(f"/deploy {environment}")
        self.carry_out(self.newest(environment))
        return self.newest(environment)

    def tags(self) -> list[str]:
        return sorted(self.place.worktree.git("ls-remote", "--tags", "--refs", "origin").split()[1::2])

    def actions(self) -> list[str]:
        """The oldest first."""
        return [entry.action for entry in reversed(self.place.store.ledger(limit=500))]


@pytest.fixture
def deployed(place: Place) -> Deployments:
    return Deployments(place)


def test_a_good_result_on_the_default_branch_becomes_a_version_without_being_asked_for(deployed: Deployments):
    (version,) = deployed.place.store.versions()

    assert (version.phase, str(version.lock.number)) == (VersionPhase.REGISTERED, "v1.0.0")
    assert deployed.tags() == ["refs/tags/churn@v1.0.0"]


def test_a_deployment_without_approvals_registers_a_version_serves_it_and_records_it(deployed: Deployments):
    answer = deployed.say("/deploy staging")
    on_its_way = deployed.newest()
    deployed.carry_out(on_its_way)

    live = deployed.newest()
    assert "`churn` to `staging` is accepted as" in answer
    assert on_its_way.phase is DeploymentPhase.DEPLOYING
    assert (live.phase, live.version, live.digest) == (DeploymentPhase.LIVE, "v1.1.0", DIGEST)
    assert live.assignment == "churn#staging#1"
    assert deployed.tags() == ["refs/tags/churn#staging#1", "refs/tags/churn@v1.0.0", "refs/tags/churn@v1.1.0"]
    assert deployed.place.serving.split("staging", "churn") == {"v1.1.0": 100}
    assert deployed.actions()[-2:] == ["run_succeeded", "deployment_live"]


def test_what_served_before_is_kept_warm_and_ends_as_replaced(deployed: Deployments):
    first = deployed.deploy()
    deployed.head = deployed.place.commit("better", churn__train_py="print('even better')")
    deployed.place.look()
    deployed.end(deployed.place.run(deployed.head), digest="e" * 64)

    second = deployed.deploy()

    assert [one.phase for one in deployed.all()] == [DeploymentPhase.REPLACED, DeploymentPhase.LIVE]
    assert second.replaces == first.id
    assert deployed.place.serving.split("staging", "churn") == {"v1.1.0": 0, "v1.2.0": 100}
    deployed.place.later(16 * 60)
    heal(deployed.place.world)
    assert deployed.place.serving.split("staging", "churn") == {"v1.2.0": 100}


def test_gates_that_are_missed_refuse_a_deployment_until_somebody_overrides_them(deployed: Deployments):
    sha = deployed.place.commit("better", churn__train_py="print('worse')")
    deployed.place.look()
    deployed.end(deployed.place.run(sha), accuracy=0.5)

    refused = deployed.say("/deploy staging")
    deployed.say("/override accuracy >= 0.9 label noise")
    accepted = deployed.say("/deploy staging")

    assert "accuracy" in refused
    assert "/override" in refused
    assert "`churn` to `staging`" in accepted
    assert len(deployed.all()) == 1


def test_what_is_not_trained_yet_is_deployed_when_it_is(deployed: Deployments):
    sha = deployed.place.commit("better", churn__train_py="print('newest')")
    deployed.place.look()

    answer = deployed.say("/deploy staging")
    waiting = deployed.phase()
    deployed.end(deployed.place.run(sha), digest="e" * 64)

    assert "it goes live when its run has ended well and met its gates" in answer
    assert waiting is DeploymentPhase.WAITING_FOR_RUN
    assert deployed.phase() is DeploymentPhase.DEPLOYING


def test_a_deployment_whose_training_failed_fails_and_says_so(deployed: Deployments):
    sha = deployed.place.commit("better", churn__train_py="print('newest')")
    deployed.place.look()
    deployed.say("/deploy staging")

    deployed.place.end(deployed.place.run(sha), failure=Failure("train", FailureKind.EXIT, "train.py exited with 1."))

    failed = deployed.newest()
    assert failed.phase is DeploymentPhase.FAILED
    assert failed.words == "The newest run of `churn` is failed, so there is nothing to deploy. `/retry` runs it again."


def test_invariant_5_neither_the_requester_nor_an_author_can_approve_but_somebody_else_can(deployed: Deployments):
    author = deployed.place.change.author
    deployed.say("/deploy production", author="bob")

    by_requester = deployed.say("/approve", author="Bob")
    by_author = deployed.say("/approve production", author=author)
    waiting = deployed.phase()
    by_carol = deployed.say("/approve", author="carol")

    assert "asked for this deployment" in by_requester
    assert "wrote this change" in by_author
    assert waiting is DeploymentPhase.WAITING_FOR_APPROVAL
    assert "1 of 1 approvals" in by_carol
    assert deployed.phase() is DeploymentPhase.DEPLOYING


def test_invariant_5_a_new_head_voids_an_approval_and_says_why(deployed: Deployments):
    two = PROJECT.replace("approvals: 1", "approvals: 2")
    deployed.place.commit(mlops_yaml=two)
    deployed.place.look()
    deployed.say("/deploy production")
    deployed.say("/approve", author="bob")
    sha = deployed.place.commit("better", churn__train_py="print('sneaky')")
    deployed.place.look()
    deployed.end(deployed.place.run(sha), digest="e" * 64)

    voided = deployed.newest()
    deployed.say("/approve", author="carol")

    assert voided.phase is DeploymentPhase.WAITING_FOR_APPROVAL
    assert voided.voided == f"the head is now `{sha[:10]}`"
    assert deployed.phase() is DeploymentPhase.WAITING_FOR_APPROVAL
    deployed.say("/approve", author="bob")
    assert deployed.phase() is DeploymentPhase.DEPLOYING
    assert deployed.newest().digest == "e" * 64


def test_invariant_5_training_again_voids_an_approval(deployed: Deployments):
    deployed.place.commit(mlops_yaml=PROJECT.replace("approvals: 1", "approvals: 2"))
    deployed.place.look()
    deployed.say("/deploy production")
    deployed.say("/approve", author="bob")

    deployed.say("/train --force")
    deployed.end(deployed.place.run(deployed.head), accuracy=0.93, digest="f" * 64)

    assert deployed.newest().voided == "the model was trained again"
    assert deployed.phase() is DeploymentPhase.WAITING_FOR_APPROVAL


def test_invariant_5_a_changed_rule_on_the_base_branch_voids_an_approval(deployed: Deployments):
    deployed.place.commit(mlops_yaml=PROJECT.replace("approvals: 1", "approvals: 2"))
    deployed.place.look()
    deployed.say("/deploy production")
    deployed.say("/approve", author="bob")

    deployed.place.commit(mlops_yaml=PROJECT.replace("approvals: 1", "approvals: 3"))
    deployed.place.look()

    assert deployed.newest().voided == "the rule for `production` has changed"
    assert deployed.newest().rule.approvals == 3


def test_invariant_5_who_lost_the_right_between_approval_and_start_does_not_count(deployed: Deployments):
    deployed.place.commit(mlops_yaml=PROJECT.replace("approvals: 1", "approvals: 2"))
    deployed.place.look()
    deployed.say("/deploy production")
    deployed.say("/approve", author="bob")
    deployed.place.forge.readers = ("bob",)

    deployed.say("/approve", author="carol")

    assert deployed.phase() is DeploymentPhase.WAITING_FOR_APPROVAL


def test_only_named_people_may_approve(deployed: Deployments):
    deployed.place.commit(mlops_yaml=PROJECT.replace("{approvals: 1}", '{approvals: 1, approvers: ["@Carol"]}'))
    deployed.place.look()
    deployed.say("/deploy production")

    refused = deployed.say("/approve", author="bob")
    accepted = deployed.say("/approve", author="carol")

    assert "may not approve here" in refused
    assert "`@Carol`" in refused
    assert "1 of 1 approvals" in accepted


def test_a_change_can_not_name_its_own_approvers(deployed: Deployments):
    deployed.place.commit("better", mlops_yaml=PROJECT.replace("{approvals: 1}", "{}"))
    deployed.place.look()
    run = deployed.place.run(deployed.place.change.head_sha)
    if not run.phase.is_final:
        deployed.end(run)

    deployed.say("/deploy production")

    assert deployed.phase() is DeploymentPhase.WAITING_FOR_APPROVAL


def test_a_rejection_ends_it_with_its_reason(deployed: Deployments):
    deployed.say("/deploy production")

    answer = deployed.say("/reject production too slow", author="bob")

    assert "is rejected" in answer
    assert (deployed.phase(), deployed.newest().words) == (DeploymentPhase.REJECTED, "Rejected by bob: too slow")


def test_what_nobody_lets_pass_expires_after_two_weeks(deployed: Deployments):
    deployed.say("/deploy production")

    deployed.place.later(EXPIRES_AFTER.total_seconds() + 3601)

    assert (deployed.phase(), deployed.newest().words) == (
        DeploymentPhase.EXPIRED,
        "Nobody let it pass for 14 days.",
    )


def test_a_second_deployment_of_another_change_waits_for_its_turn(deployed: Deployments):
    deployed.say("/deploy staging")
    sha = deployed.place.commit("other", churn__train_py="print('other')")
    deployed.place.look()
    deployed.end(deployed.place.run(sha), digest="e" * 64)
    post = deployed.place.say("/deploy staging", number=2)
    deployed.place.converge()
    first, second = deployed.all()

    assert "`churn` to `staging`" in deployed.place.answer(post)
    assert (first.phase, second.phase) == (DeploymentPhase.DEPLOYING, DeploymentPhase.WAITING_FOR_TURN)
    assert deployed.place.store.place_in_line(second) == 1
    deployed.carry_out(first)
    assert [one.phase for one in deployed.all()] == [DeploymentPhase.LIVE, DeploymentPhase.DEPLOYING]


def test_asking_twice_is_one_deployment(deployed: Deployments):
    deployed.say("/deploy production")

    again = deployed.say("/deploy production")

    assert "on its way already" in again
    assert len(deployed.all()) == 1


def test_cancel_gives_a_waiting_deployment_up_and_closing_the_change_does_too(deployed: Deployments):
    deployed.say("/deploy production")
    answer = deployed.say("/cancel")
    canceled = deployed.newest()
    deployed.say("/deploy production")
    deployed.place.worktree.git("push", "--quiet", "origin", "--delete", "better")
    deployed.place.look()

    assert "Giving up `churn` to `production`." in answer
    assert (canceled.phase, canceled.words) == (DeploymentPhase.CANCELED, "Given up by ada.")
    assert deployed.place.change.state is ChangeState.CLOSED
    assert (deployed.phase(), deployed.newest().words) == (DeploymentPhase.CANCELED, "The change was closed.")


def test_a_pipeline_that_fails_leaves_what_served_before(deployed: Deployments):
    deployed.deploy()
    sha = deployed.place.commit("better", churn__train_py="print('broken')")
    deployed.place.look()
    deployed.end(deployed.place.run(sha), digest="e" * 64)
    deployed.say("/deploy staging")
    broken = deployed.newest()
    start_beside(broken.pipeline_run, deployed.place.world)
    give_share(broken.pipeline_run, 10, deployed.place.world)
    in_between = deployed.place.serving.split("staging", "churn")

    deployed.end_pipeline(broken, Failure("smoke-test", FailureKind.EXIT, "3 of 20 predictions differ.", "Look."))

    failed = deployed.newest()
    assert in_between == {"v1.1.0": 90, "v1.2.0": 10}
    assert (failed.phase, failed.words) == (DeploymentPhase.FAILED, "3 of 20 predictions differ. Look.")
    assert deployed.place.serving.split("staging", "churn") == {"v1.1.0": 100}
    assert [one.phase for one in deployed.all()] == [DeploymentPhase.LIVE, DeploymentPhase.FAILED]
    assert "refs/tags/churn#staging#2" not in deployed.tags()


def test_what_is_assigned_in_git_is_live_whatever_became_of_its_pipeline(deployed: Deployments):
    deployed.say("/deploy staging")
    deployment = deployed.newest()
    start_beside(deployment.pipeline_run, deployed.place.world)
    give_share(deployment.pipeline_run, 100, deployed.place.world)

    deployed.end_pipeline(deployment, Failure("report", FailureKind.LOST, "The machine went away."))

    assert deployed.phase() is DeploymentPhase.LIVE


def test_a_step_that_asks_again_changes_nothing(deployed: Deployments):
    deployed.say("/deploy staging")
    run_id = deployed.newest().pipeline_run
    for _ in range(2):
        start_beside(run_id, deployed.place.world)
    for _ in range(2):
        give_share(run_id, 100, deployed.place.world)

    assert len(deployed.place.serving.applied) == 2
    assert [tag for tag in deployed.tags() if "#" in tag] == ["refs/tags/churn#staging#1"]


def test_a_canceled_deployment_tells_its_pipeline_that_it_is_not_wanted(deployed: Deployments):
    deployed.say("/deploy staging")
    run_id = deployed.newest().pipeline_run
    deployed.say("/cancel")

    with pytest.raises(UserError) as refused:
        give_share(run_id, 100, deployed.place.world)

    assert "This deployment was given up by ada." in str(refused.value)


def test_rollback_serves_the_version_before_again_without_approval_or_training(deployed: Deployments):
    deployed.deploy()
    sha = deployed.place.commit("better", churn__train_py="print('even better')")
    deployed.place.look()
    deployed.end(deployed.place.run(sha), digest="e" * 64)
    deployed.deploy()
    runs_before = len(deployed.place.runs())

    answer = deployed.say("/rollback staging")
    deployed.carry_out(deployed.newest())

    assert "`v1.1.0`" in answer
    assert deployed.newest().version == "v1.1.0"
    assert deployed.newest().assignment == "churn#staging#3"
    assert deployed.place.serving.split("staging", "churn") == {"v1.2.0": 0, "v1.1.0": 100}
    assert len(deployed.place.runs()) == runs_before


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/rollback staging", "Nothing serves in `staging` here."),
        ("/rollback staging churn", "No other version of `churn` has served in `staging` before."),
        ("/rollback staging churn v9.0.0", "`churn` has no version `v9.0.0`. Name one: `/rollback staging v1.0.0`"),
        ("/deploy prod", "`churn` has no environment `prod`. It has `production` and `staging`."),
        ("/deploy staging chrn", "There is no model `chrn`. Did you mean `churn`?"),
        ("/approve", "No deployment of this change waits for approval."),
        ("/reject", "No deployment of this change waits for approval."),
    ],
)
def test_what_can_not_be_done_is_refused_with_the_next_step(command: str, words: str, deployed: Deployments):
    assert words in deployed.say(command)
    assert deployed.all() == []


def test_a_merged_change_can_still_be_deployed_and_only_that(deployed: Deployments):
    deployed.place.commit(mlops_yaml=PROJECT.replace("{approvals: 1}", "{from: default-branch}"))
    deployed.place.look()
    too_early = deployed.say("/deploy production")
    deployed.place.worktree.git("checkout", "--quiet", "main")
    deployed.place.worktree.git("merge", "--quiet", "--no-edit", "better")
    deployed.place.worktree.push("main")
    deployed.place.look()

    answer = deployed.say("/deploy production")
    training = deployed.say("/train")

    assert "takes only commits of `main`" in too_early
    assert deployed.place.change.state is ChangeState.MERGED
    assert "`churn` to `production`" in answer
    assert deployed.phase() is DeploymentPhase.DEPLOYING
    assert "only deployments" in training


def test_a_deleted_tag_is_seen_and_said_and_one_that_comes_back_is_taken_back(deployed: Deployments):
    deployed.deploy()
    git = deployed.place.worktree.git
    git("fetch", "--quiet", "--tags", "origin")
    git("push", "--quiet", "origin", "--delete", "refs/tags/churn@v1.1.0", "refs/tags/churn#staging#1")

    deployed.place.look()

    assert deployed.actions()[-2:] == ["version_tag_deleted", "assignment_tag_deleted"]
    (gone,) = [one for one in deployed.place.store.versions() if one.phase is VersionPhase.MISSING]
    assert str(gone.lock.number) == "v1.1.0"
    git("push", "--quiet", "origin", "refs/tags/churn@v1.1.0", "refs/tags/churn#staging#1")
    deployed.place.look()
    assert {one.phase for one in deployed.place.store.versions()} == {VersionPhase.REGISTERED}


def test_invariant_11_the_index_is_made_anew_from_the_tags_alone(deployed: Deployments):
    deployed.deploy()
    store = deployed.place.store
    before = (store.versions(), store.assignments())
    with store.database.write() as connection:
        for table in ("versions", "assignments", "deployments"):
            connection.exec_driver_sql(f"DELETE FROM {table}")

    deployed.place.look()

    after = (store.versions(), store.assignments())
    assert {one.id: (one.lock, one.commit_sha) for one in after[0]} == {
        one.id: (one.lock, one.commit_sha) for one in before[0]
    }
    assert after[1] == before[1]


def test_serving_that_lost_everything_is_healed_from_the_record(deployed: Deployments):
    deployed.deploy()
    deployed.place.serving.remove("staging", "churn")

    heal(deployed.place.world)

    assert deployed.place.serving.split("staging", "churn") == {"v1.1.0": 100}


def test_a_deployment_that_can_not_be_driven_ends_with_a_word(deployed: Deployments):
    deployed.say("/deploy staging")
    (claim,) = deployed.place.store.claim(
        Kind.DEPLOYMENT, limit=1, lease_s=60, now=deployed.newest().requested_at + EXPIRES_AFTER
    )
    give_up(claim, "KeyError: 'x'", deployed.place.world)

    assert deployed.phase() is DeploymentPhase.FAILED
    assert "not your fault" in deployed.newest().words


def test_the_check_that_asks_for_approval_follows_the_change_and_leaves_nothing_waiting_behind(deployed: Deployments):
    deployed.say("/deploy production")
    asked = deployed.place.checks(deployed.head)["mlops/churn/production"]
    sha = deployed.place.commit("better", churn__train_py="print('newest')")
    deployed.place.look()
    deployed.end(deployed.place.run(sha), digest="e" * 64)

    left = deployed.place.checks(deployed.head)["mlops/churn/production"]
    there = deployed.place.checks(sha)["mlops/churn/production"]

    assert (asked.conclusion, there.conclusion) == (Conclusion.ACTION_REQUIRED, Conclusion.ACTION_REQUIRED)
    assert (left.conclusion, left.title) == (
        Conclusion.NEUTRAL,
        f"Follows the change: it is now about {sha[:10]}",
    )


def test_the_servers_policy_asks_for_more_than_the_base_branch(deployed: Deployments):
    policy = RepositoryPolicy(
        environments={"staging": EnvironmentPolicy(approvals=2, approvers=("bob", "carol"))},
        allowed_environments=("staging",),
    )
    deployed.place.world = replace(deployed.place.world, policy_of=lambda _repository: policy)

    refused = deployed.say("/deploy production")
    deployed.say("/deploy staging")
    deployed.say("/approve", author="bob")
    dave = deployed.say("/approve", author="dave")
    waiting = deployed.phase()
    deployed.say("/approve", author="carol")

    assert "`production`" in refused
    assert "may not approve here" in dave
    assert waiting is DeploymentPhase.WAITING_FOR_APPROVAL
    assert deployed.phase() is DeploymentPhase.DEPLOYING


def test_invariant_8_a_forks_model_is_deployed_only_once_it_is_merged(deployed: Deployments):
    change = replace(deployed.place.change, from_fork=True)
    with deployed.place.store.transaction() as tx:
        tx.save_change(change)

    answer = deployed.say("/deploy staging")

    assert "comes from a fork" in answer
    assert deployed.all() == []


def test_a_rollback_is_no_way_around_approvals(deployed: Deployments):
    deployed.deploy("staging")
    deployed.say("/deploy production")
    deployed.say("/approve", author="bob")
    deployed.carry_out(deployed.newest("production"))

    refused = deployed.say("/rollback production churn v1.0.0")
    accepted = deployed.say("/rollback staging churn v1.0.0")

    assert "`v1.0.0` has never served in `production`, which needs approvals." in refused
    assert "Ask for them on the change that brings it: `/deploy production churn`." in refused
    assert "back to `staging`" in accepted


def test_a_rollback_needs_no_merged_change(deployed: Deployments):
    deployed.deploy()
    deployed.place.commit(mlops_yaml=PROJECT.replace("staging: {}", "staging: {from: default-branch}"))
    deployed.place.look()

    assert "back to `staging`" in deployed.say("/rollback staging churn v1.0.0")


def test_a_change_whose_version_was_replaced_does_not_go_on_saying_that_it_is_live(deployed: Deployments):
    deployed.deploy()
    sha = deployed.place.commit("other", churn__train_py="print('other')")
    deployed.place.look()
    deployed.end(deployed.place.run(sha), digest="e" * 64)
    deployed.place.say("/deploy staging", number=2)
    deployed.place.converge()
    deployed.carry_out(deployed.newest())

    check = deployed.place.checks(deployed.head)["mlops/churn/staging"]
    assert check.conclusion is Conclusion.NEUTRAL
    assert "was live, until another version took its place" in deployed.place.comment()


def test_approvers_are_told_what_they_approve_that_it_moved_and_that_it_failed_elsewhere(deployed: Deployments):
    deployed.say("/deploy staging")
    deployed.end_pipeline(deployed.newest(), Failure("smoke-test", FailureKind.EXIT, "2 of 20 rows differ.", ""))
    deployed.say("/deploy production")
    same = deployed.newest("production").words
    sha = deployed.place.commit("better", churn__train_py="print('newest')")
    deployed.place.look()
    deployed.end(deployed.place.run(sha), digest="e" * 64)

    moved = deployed.newest("production").words
    answer = deployed.say("/approve", author="bob")

    assert same == "This very model has failed in `staging`: 2 of 20 rows differ."
    assert moved == f"It was asked for at `{deployed.head[:10]}` and has followed to `{sha[:10]}`."
    assert f"commit `{sha[:10]}`, model `{'e' * 19}`" in answer
    assert "`churn` to `production` | deploying" in deployed.say("/status")


def test_a_broken_project_file_on_the_base_branch_stops_deployments_and_says_so(deployed: Deployments):
    deployed.place.commit(mlops_yaml="version: 1\nmodels: []\n")
    deployed.place.look()

    assert "`mlops.yaml` on `main` is not valid" in deployed.say("/deploy staging")


@pytest.mark.parametrize("command", ["/rollback production churn v1.0.0", "/rollback production v1.0.0"])
def test_a_change_that_takes_the_model_away_can_not_roll_it_back_around_approvals(command: str, deployed: Deployments):
    deployed.deploy("staging")
    deployed.say("/deploy production")
    deployed.say("/approve", author="bob")
    deployed.carry_out(deployed.newest("production"))
    deployed.place.commit(
        "better", mlops_yaml=PROJECT.replace("  churn:", "  other:").replace("path: churn", "path: other")
    )
    deployed.place.look()

    refused = deployed.say(command)

    assert "`v1.0.0` has never served in `production`, which needs approvals." in refused


def test_invariant_4_a_branch_of_ones_own_as_target_names_no_approvers(deployed: Deployments):
    place = deployed.place
    place.commit("mine", mlops_yaml=PROJECT.replace("{approvals: 1}", "{}"))
    place.look()
    with place.store.transaction() as tx:
        tx.save_change(replace(place.store.change(KEY, 1), target_branch="mine"))

    deployed.say("/deploy production")

    assert deployed.newest("production").rule.approvals == 1
    assert deployed.phase("production") is DeploymentPhase.WAITING_FOR_APPROVAL


def test_a_version_that_could_not_be_registered_is_tried_again_when_somebody_asks_again(deployed: Deployments):
    hook = deployed.place.worktree.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho no tags today >&2\nexit 1\n")
    hook.chmod(0o755)
    deployed.say("/deploy staging")
    refused = deployed.newest()
    hook.unlink()

    deployed.say("/deploy staging")

    assert refused.phase is DeploymentPhase.FAILED
    assert "It could not be registered" in refused.words
    assert deployed.phase() is DeploymentPhase.DEPLOYING
