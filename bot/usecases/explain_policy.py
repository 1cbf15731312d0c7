"""What the policy that holds lets be deployed where, and what the server asks of a repository, in a line each."""

from __future__ import annotations

from collections.abc import Iterator

from bot.domain.project import Canary, DeployEnvironment, Model, Project
from bot.domain.server_rules import refusal_of_environment, refusal_of_server, rule_for
from bot.domain.words import listed, quoted
from bot.policy_file import repository_facts
from bot.usecases.heads import Head, effective_for
from bot.usecases.world import World


def server_policy(repository: str, world: World) -> tuple[str, ...]:
    """Empty where the server asks nothing."""
    return tuple(f"{label}: {words}" for label, words in repository_facts(world.policy_of(repository)))


def deployments_of(model: Model, head: Head, policy: Project | None, world: World) -> tuple[str, ...]:
    """For each environment, who has to let a deployment of this head pass, or why there is none."""
    deploy = effective_for(head, model, policy)[0].deploy
    if deploy is None:
        return ()
    asked = world.policy_of(head.repository.key)
    too_much = refusal_of_server(deploy, asked)
    lines = []
    for name, declared in deploy.environments.items():
        rule = rule_for(declared, asked, name)
        refusal = refusal_of_environment(name, asked, rule) or too_much
        words = f"no: {refusal.problem}" if refusal is not None else "; ".join(_rule(rule, head))
        lines.append(f"{name}: {words}")
    return tuple(lines)


def _rule(rule: DeployEnvironment, head: Head) -> Iterator[str]:
    if rule.approvals:
        count = f"{rule.approvals} approval{'s' * (rule.approvals != 1)}"
        who = listed(list(rule.approvers)) if rule.approvers else "whoever may write"
        yield f"after {count} by {who}, not by the change's authors or who asks for it"
    else:
        yield "whoever may write, without approval"
    if rule.only_merged:
        yield f"only commits of {quoted(head.repository.default_branch)}"
    if rule.canary != Canary():
        yield f"step by step: {', '.join(str(percent) for percent in rule.canary.percents)} % of the requests"
