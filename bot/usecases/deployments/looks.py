"""Look at what a waiting deployment is about, as it is now: its result, its gates, its rule."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.domain.approval import thing_of
from bot.domain.change import Change, ChangeState
from bot.domain.deployment import Deployment
from bot.domain.errors import UserError
from bot.domain.gate import Judgement, Verdict
from bot.domain.project import Deploy, DeployEnvironment
from bot.domain.run import Run
from bot.domain.server_rules import deploy_by_server, refusal_of_environment, refusal_of_server, rule_for
from bot.domain.words import quoted
from bot.usecases.deployments.targets import (
    Place,
    deployable,
    environment_of,
    has_ended_well,
    newest_run,
    place_of,
    project_at,
)
from bot.usecases.reports import judgement_now
from bot.usecases.world import World


@dataclass(frozen=True, slots=True)
class Candidate:
    """A result that may be deployed, as far as its gates are concerned, with the rule of its environment."""

    run: Run
    judgement: Judgement
    rule: DeployEnvironment
    deploy: Deploy


@dataclass(frozen=True, slots=True)
class NotYet:
    """What is to be deployed is not there yet: its run is active, or there is none."""

    run: Run | None
    rule: DeployEnvironment
    deploy: Deploy


class GatesMissed(UserError):
    """`/override` lets them be missed."""

    def __init__(self, run: Run, judgement: Judgement) -> None:
        super().__init__(
            f"{quoted(run.model)} does not meet its gates: {judgement.summary}.",
            "Train a better one, or let somebody who may write `/override <gate> <reason>`.",
        )
        self.run = run
        self.judgement = judgement


def look_at(place: Place, model_name: str, environment: str, world: World) -> Candidate | NotYet:
    """Raises UserError for what can not be deployed there, GatesMissed among it."""
    project, policy = project_at(place, world)
    model = project.model(model_name)
    if model is None:
        raise UserError(f"There is no model {quoted(model_name)} here any more.")
    deploy = served_by(place, deployable(place, model, policy), world)
    rule = rule_of(place, deploy, model.name, environment, world)
    _check_source(place, rule, environment)
    run = newest_run(place, model_name, world)
    if run is None or not run.phase.is_final:
        return NotYet(run, rule, deploy)
    if not has_ended_well(run):
        raise UserError(
            f"The newest run of {quoted(model_name)} is {run.phase}, so there is nothing to deploy.",
            "`/retry` runs it again.",
        )
    judgement = judgement_now(run, world)
    if judgement is not None and judgement.verdict is Verdict.MISSED:
        raise GatesMissed(run, judgement)
    assert judgement is not None
    return Candidate(run, judgement, rule, deploy)


def served_by(place: Place, deploy: Deploy, world: World) -> Deploy:
    """With the limits that the server's policy sets. Raises UserError for a model server that asks for more."""
    policy = world.policy_of(place.repository.key)
    refusal = refusal_of_server(deploy, policy)
    if refusal is not None:
        raise refusal
    return deploy_by_server(deploy, policy)


def rule_of(place: Place, deploy: Deploy, model: str, environment: str, world: World) -> DeployEnvironment:
    """What the base branch and the server ask together. Raises UserError where nothing may be deployed."""
    policy = world.policy_of(place.repository.key)
    rule = rule_for(environment_of(deploy, environment, model), policy, environment)
    refusal = refusal_of_environment(environment, policy, rule)
    if refusal is not None:
        raise refusal
    return rule


def _check_source(place: Place, rule: DeployEnvironment, environment: str) -> None:
    """Whether results of this change may come there before it is merged. Raises UserError."""
    change = place.change
    is_open = change is not None and change.state is ChangeState.OPEN
    if change is not None and is_open and change.from_fork:
        raise UserError("This change comes from a fork.", "Its model can be deployed once it is merged.")
    if rule.only_merged and (is_open or place.branch != place.repository.default_branch):
        raise UserError(
            f"{quoted(environment)} takes only commits of {quoted(place.repository.default_branch)}.",
            f"Merge this change, then write `/deploy {environment}` here.",
        )


def with_candidate(deployment: Deployment, found: Candidate) -> Deployment:
    """The deployment as it is about this result; approvals that were for something else are void by that."""
    run = found.run
    assert run.result is not None
    thing = thing_of(
        sha=run.sha,
        environment=deployment.environment,
        model_digest=run.result.model_digest,
        metrics=run.result.metrics,
        rule=found.rule,
    )
    return replace(
        deployment,
        sha=run.sha,
        run_id=run.id,
        digest=run.result.model_digest,
        rule=found.rule,
        memory_bytes=found.deploy.resources.memory_bytes,
        cpu=found.deploy.resources.cpu,
        thing=thing,
    )


def why_void(before: Deployment, after: Deployment) -> str:
    """What made approvals void, in words; both are about a result."""
    if before.sha != after.sha:
        return f"the head is now `{after.sha[:10]}`"
    if before.digest != after.digest:
        return "the model was trained again"
    if (before.rule.approvals, before.rule.approvers) != (after.rule.approvals, after.rule.approvers):
        return f"the rule for `{after.environment}` has changed"
    return "its metrics have changed"


def place_of_deployment(deployment: Deployment, world: World) -> tuple[Place, Change | None]:
    """Raises UserError when the repository or the change is no longer known."""
    repository = world.store.repository(deployment.repository)
    if repository is None:
        raise UserError("The repository is no longer watched.")
    change = None
    if deployment.number is not None:
        change = world.store.change(deployment.repository, deployment.number)
    return place_of(repository, change, world), change
