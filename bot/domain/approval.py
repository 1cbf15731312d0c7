"""Who let a deployment pass, and for exactly which thing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from bot.domain.project import DeployEnvironment
from bot.domain.result import Metric


class Decision(StrEnum):
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Approval:
    """What one person decided of one deployment. `thing` is what they saw, see `thing_of`. `source` is where they said
    it: `comment:<id>:<line>`, `button:<delivery>`, `page:<id>`; the same source counts once."""

    deployment_id: str
    by: str
    at: datetime
    decision: Decision
    thing: str
    source: str
    reason: str = ""


def thing_of(
    *,
    sha: str,
    environment: str,
    model_digest: str,
    metrics: Mapping[str, Metric],
    rule: DeployEnvironment,
) -> str:
    """What an approval is for: anything new in it makes another thing, for which it does not count."""
    measured = sorted((name, metric.value) for name, metric in metrics.items())
    parts = (sha, environment, model_digest, repr(measured), str(rule.approvals), *sorted(rule.approvers))
    return sha256("\n".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class ApprovalStanding:
    """`counted` are the distinct people whose approval counts; `refused` maps others to why theirs does not."""

    needed: int
    counted: tuple[str, ...]
    refused: Mapping[str, str]

    @property
    def is_given(self) -> bool:
        return len(self.counted) >= self.needed


def standing_of(
    rule: DeployEnvironment,
    approvals: Sequence[Approval],
    *,
    thing: str,
    barred: Mapping[str, str],
    allowed: Collection[str],
) -> ApprovalStanding:
    """`barred` maps people who may not approve this one to the reason (an author of the change, who asked for it).
    `allowed` are those of the approvals' people who may approve here now: they may write, and the rule names them or
    a group that they are in. People's names are compared without regard to case, as forges do."""
    barred_names = {name.casefold(): reason for name, reason in barred.items()}
    allowed_names = {name.casefold() for name in allowed}
    counted: dict[str, str] = {}
    refused: dict[str, str] = {}
    for approval in approvals:
        name = approval.by.casefold()
        if approval.decision is not Decision.APPROVED or name in counted:
            continue
        reason = _refusal(approval, thing, barred_names, allowed_names)
        if reason:
            refused[approval.by] = reason
        else:
            counted[name] = approval.by
    still_refused = {who: why for who, why in refused.items() if who.casefold() not in counted}
    return ApprovalStanding(rule.approvals, tuple(counted.values()), still_refused)


def _refusal(approval: Approval, thing: str, barred: Mapping[str, str], allowed: Collection[str]) -> str:
    name = approval.by.casefold()
    if approval.thing != thing:
        return "was given for something else: what would be deployed has changed since"
    if name in barred:
        return barred[name]
    if name not in allowed:
        return "may not approve here"
    return ""
