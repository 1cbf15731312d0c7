"""Who may let a deployment pass, asked from the forge now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.domain.approval import Approval, ApprovalStanding, Decision, standing_of
from bot.domain.deployment import Deployment
from bot.domain.project import DeployEnvironment
from bot.ports.forge import Forge
from bot.usecases.world import World

REQUESTER = "asked for this deployment"
AUTHOR = "wrote this change"


def approval_standing(
    deployment: Deployment, world: World, *, more: Sequence[Approval] = (), thing: str | None = None
) -> ApprovalStanding:
    """What the approvals of a deployment come to now; `more` are not stored yet. The forge is asked about those who
    approved, and only where approvals are needed."""
    rule = deployment.rule
    approvals = [*world.store.approvals(deployment.id), *more]
    given = [approval for approval in approvals if approval.decision is Decision.APPROVED]
    if rule.approvals == 0 or not given:
        return ApprovalStanding(rule.approvals, (), {})
    return standing_of(
        rule,
        given,
        thing=deployment.thing if thing is None else thing,
        barred=barred_from(deployment, world),
        allowed=allowed_of(rule, {approval.by for approval in given}, deployment.repository, world),
    )


def barred_from(deployment: Deployment, world: World) -> dict[str, str]:
    """Nobody approves what is their own: the requester, and the authors of the change."""
    change = None
    if deployment.number is not None:
        change = world.store.change(deployment.repository, deployment.number)
    authors = world.forge_of(deployment.repository).authors(change) if change is not None else frozenset()
    return {**dict.fromkeys(sorted(authors), AUTHOR), deployment.requested_by: REQUESTER}


def seen_standing(deployment: Deployment, world: World) -> ApprovalStanding:
    """By what is stored alone, for pages, which are looked at twice a second: whoever approved was allowed to when they
    did, and is looked at again before the deployment starts."""
    found = world.store.approvals(deployment.id)
    return standing_of(
        deployment.rule,
        found,
        thing=deployment.thing,
        barred=known_authors(deployment, world),
        allowed=frozenset(approval.by for approval in found),
    )


def known_authors(deployment: Deployment, world: World) -> dict[str, str]:
    """As `barred_from`, without those that only the forge knows: further authors of the change's commits."""
    change = None
    if deployment.number is not None:
        change = world.store.change(deployment.repository, deployment.number)
    return {**({change.author: AUTHOR} if change is not None else {}), deployment.requested_by: REQUESTER}


def allowed_of(rule: DeployEnvironment, people: Iterable[str], repository: str, world: World) -> frozenset[str]:
    forge = world.forge_of(repository)
    return frozenset(
        who
        for who in people
        if forge.permission(repository, who).may_write and is_named(rule.approvers, who, repository, forge)
    )


def is_named(approvers: Sequence[str], who: str, repository: str, forge: Forge) -> bool:
    """By name, or by a group that they are in now. No names at all mean everybody who may write. Groups of other owners
    than the repository's count for nothing: the bot's own sight must not lend them to anybody."""
    if not approvers:
        return True
    users = {name.removeprefix("@").casefold() for name in approvers if "/" not in name}
    owner = repository.split("/")[1].casefold()
    groups = [name.removeprefix("@") for name in approvers if "/" in name]
    groups = [group for group in groups if group.split("/")[0].casefold() == owner]
    return who.casefold() in users or any(forge.is_member(group, who) for group in groups)


def rejection_of(deployment: Deployment, world: World) -> Approval | None:
    """The newest one of what would be deployed now."""
    approvals = world.store.approvals(deployment.id)
    rejected = [one for one in approvals if one.decision is Decision.REJECTED and one.thing == deployment.thing]
    return rejected[-1] if rejected else None
