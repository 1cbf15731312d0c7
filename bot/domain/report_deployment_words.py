"""How a deployment stands, in plain words, shared by checks, comments and pages. Text from outside is not escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.deployment import EXPIRES_AFTER, Deployment, DeploymentKind, DeploymentPhase
from bot.domain.report_deployments import DeploymentLine
from bot.domain.words import quoted

NAMES_LIMIT = 12
COMMAND_LIMIT = 250  # characters; names have at most 63

SYMBOLS = {
    DeploymentPhase.WAITING_FOR_RUN: "○",
    DeploymentPhase.WAITING_FOR_APPROVAL: "○",
    DeploymentPhase.WAITING_FOR_TURN: "○",
    DeploymentPhase.REGISTERING: "●",
    DeploymentPhase.DEPLOYING: "●",
    DeploymentPhase.LIVE: "✓",
    DeploymentPhase.REPLACED: "–",
    DeploymentPhase.FAILED: "✗",
    DeploymentPhase.REJECTED: "–",
    DeploymentPhase.SUPERSEDED: "–",
    DeploymentPhase.EXPIRED: "–",
    DeploymentPhase.CANCELED: "–",
}
_SIMPLE = {
    DeploymentPhase.WAITING_FOR_RUN: "waits until it is trained and measured",
    DeploymentPhase.REGISTERING: "being registered as a version",
    DeploymentPhase.REPLACED: "was live, until another version took its place",
    DeploymentPhase.FAILED: "failed",
    DeploymentPhase.REJECTED: "rejected",
    DeploymentPhase.SUPERSEDED: "superseded by a newer request",
    DeploymentPhase.EXPIRED: "expired",
    DeploymentPhase.CANCELED: "canceled",
}
_HEADLINES = {
    DeploymentPhase.WAITING_FOR_APPROVAL: "{} waits for approval",
    DeploymentPhase.DEPLOYING: "deploying to {}",
    DeploymentPhase.LIVE: "live in {}",
    DeploymentPhase.FAILED: "deployment to {} failed",
}


def deployment_words(line: DeploymentLine) -> str:
    """Such as `waits for approval, 1 of 2` or `deploying: smoke-test, step 3 of 5`."""
    match line.deployment.phase:
        case DeploymentPhase.WAITING_FOR_APPROVAL:
            return f"waits for approval, {len(line.approved_by)} of {line.deployment.rule.approvals}"
        case DeploymentPhase.WAITING_FOR_TURN:
            return f"waits for its turn, place {line.place}" if line.place else "waits for its turn"
        case DeploymentPhase.DEPLOYING:
            return _deploying(line)
        case DeploymentPhase.LIVE:
            since = line.deployment.live_at
            return f"live since {since:%Y-%m-%d %H:%M} UTC" if since else "live"
        case phase:
            return _SIMPLE[phase]


def _deploying(line: DeploymentLine) -> str:
    if line.deployment.cancel_requested_by is not None:
        return "being given up"
    running = [step for step in line.progress if step.state == "running"]
    step = next(iter(running or [step for step in line.progress if step.state == "pending"]), None)
    if step is None:
        return "deploying"
    return f"deploying: {step.name}, step {line.progress.index(step) + 1} of {len(line.progress)}"


def next_step(line: DeploymentLine) -> str:
    """What its readers may do now, as sentences that hold code between backticks."""
    deployment = line.deployment
    ask_again = f"{_command(asking_command(deployment))} asks for it again."
    give_up = f"{_command(f'/cancel {deployment.model}')} gives it up."
    match deployment.phase:
        case DeploymentPhase.WAITING_FOR_APPROVAL:
            place = deployment.environment
            approve, reject = _command(f"/approve {place}"), _command(f"/reject {place} <reason>")
            return f"To let it go live: {approve}. To turn it down: {reject}."
        case DeploymentPhase.WAITING_FOR_RUN:
            return f"It goes on by itself when its gates are met{_then_approval(line)}. {give_up}"
        case DeploymentPhase.WAITING_FOR_TURN:
            return f"It starts by itself when those before it have ended. {give_up}"
        case DeploymentPhase.REGISTERING | DeploymentPhase.DEPLOYING:
            return f"It goes live by itself when each step has passed. {give_up}"
        case DeploymentPhase.LIVE:
            if not deployment.replaces:
                return ""
            back = _command(f"/rollback {deployment.environment} {deployment.model}")
            return f"To go back to what served before: {back}."
        case DeploymentPhase.FAILED:
            return f"Once that is mended, {ask_again}"
        case DeploymentPhase.REJECTED | DeploymentPhase.EXPIRED | DeploymentPhase.CANCELED:
            return f"On an open or merged change, {ask_again}"
        case _:
            return ""


def _command(line: str) -> str:
    return quoted(line, limit=COMMAND_LIMIT)


def _then_approval(line: DeploymentLine) -> str:
    needed = line.deployment.rule.approvals
    if not needed:
        return ""
    return f" and it has {_approvals(needed)} by {people_words(line.deployment.rule.approvers)}"


def _approvals(number: int) -> str:
    return "one approval" if number == 1 else f"{number} approvals"


def asking_command(deployment: Deployment) -> str:
    """The command line that asks for the same once more."""
    if deployment.kind is DeploymentKind.ROLLBACK:
        return f"/rollback {deployment.environment} {deployment.model} {deployment.version}".rstrip()
    return f"/deploy {deployment.environment} {deployment.model}"


def served_words(line: DeploymentLine) -> str:
    """What serves in the place of a deployment that did not go live, or does not serve any more."""
    place = quoted(line.deployment.environment)
    if line.live is None:
        return f"Nothing serves in {place}."
    since = " now" if line.deployment.phase is DeploymentPhase.REPLACED else ", as before"
    return f"{quoted(line.live.version)} serves in {place}{since}."


def people_words(approvers: Sequence[str]) -> str:
    """`@acme/ml-leads` or `alice`; nobody named means whoever may write."""
    if not approvers:
        return "somebody with write permission"
    shown = [quoted(name) for name in approvers[:NAMES_LIMIT]]
    if len(approvers) > NAMES_LIMIT:
        shown.append(f"{len(approvers) - NAMES_LIMIT} more")
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def barred_words(barred: Mapping[str, str]) -> str:
    """`dave` (wrote this change) or `alice` (asked for this deployment); "" for nobody."""
    shown = [f"{quoted(name)} ({reason})" for name, reason in sorted(barred.items())[:NAMES_LIMIT]]
    if len(barred) > NAMES_LIMIT:
        shown.append(f"{len(barred) - NAMES_LIMIT} more")
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def expires_at(deployment: Deployment) -> datetime:
    return deployment.requested_at + EXPIRES_AFTER


def headline_words(lines: Sequence[DeploymentLine]) -> str:
    """Such as `live in `staging`, `production` waits for approval`: what nobody should miss."""
    said: dict[str, None] = {}
    for line in lines:
        words = _HEADLINES.get(line.deployment.phase)
        if words is not None:
            said[words.format(quoted(line.deployment.environment))] = None
    return ", ".join(said)


def first_words(line: DeploymentLine) -> str:
    """For a headline where there is nothing else to say."""
    deployment = line.deployment
    return f"{quoted(deployment.model)} to {quoted(deployment.environment)}: {deployment_words(line)}"
