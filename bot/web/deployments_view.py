"""What the pages say of a deployment: its state, how far it is on its way, what it is compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.comments.versions import comparison_rows
from bot.domain.deployment import Deployment, DeploymentKind, DeploymentPhase
from bot.domain.report_deployment_words import deployment_words
from bot.domain.report_deployments import DeploymentLine
from bot.domain.serving import ObservedRevision, RevisionState
from bot.usecases.deployments.overview import ServedPlace
from bot.web.states import Look, State

_STATES: dict[DeploymentPhase, tuple[Look, str]] = {
    DeploymentPhase.WAITING_FOR_RUN: ("waiting", "Waits for its run"),
    DeploymentPhase.WAITING_FOR_APPROVAL: ("warned", "Waits for approval"),
    DeploymentPhase.WAITING_FOR_TURN: ("waiting", "Waits for its turn"),
    DeploymentPhase.REGISTERING: ("busy", "Registering"),
    DeploymentPhase.DEPLOYING: ("busy", "Deploying"),
    DeploymentPhase.LIVE: ("good", "Live"),
    DeploymentPhase.REPLACED: ("off", "Replaced"),
    DeploymentPhase.FAILED: ("bad", "Failed"),
    DeploymentPhase.REJECTED: ("bad", "Rejected"),
    DeploymentPhase.SUPERSEDED: ("off", "Superseded"),
    DeploymentPhase.EXPIRED: ("off", "Expired"),
    DeploymentPhase.CANCELED: ("off", "Canceled"),
}
_SERVERS: dict[RevisionState, tuple[Look, str]] = {
    RevisionState.STARTING: ("busy", "starting"),
    RevisionState.READY: ("good", "ready"),
    RevisionState.FAILED: ("bad", "failed"),
    RevisionState.GONE: ("off", "gone"),
}
_AT = {
    DeploymentPhase.WAITING_FOR_RUN: "trained",
    DeploymentPhase.WAITING_FOR_APPROVAL: "approved",
    DeploymentPhase.WAITING_FOR_TURN: "its turn",
    DeploymentPhase.REGISTERING: "registered",
    DeploymentPhase.DEPLOYING: "deployed",
    DeploymentPhase.LIVE: "live",
    DeploymentPhase.REPLACED: "live",
}


@dataclass(frozen=True, slots=True)
class Milestone:
    """One stage of a deployment's way; `state.words` say what is or was at it."""

    name: str
    state: State


@dataclass(frozen=True, slots=True)
class DeploymentRow:
    """A deployment in a list."""

    line: DeploymentLine
    state: State
    words: str


def of_deployment(deployment: Deployment) -> State:
    if deployment.phase.is_active and deployment.cancel_requested_by is not None:
        return State("busy", "Being given up")
    return State(*_STATES[deployment.phase])


def beside(state: State, words: str) -> str:
    """What the words tell beyond the state that stands before them."""
    said = state.words.lower()
    return words[len(said) :].lstrip(" ,:") if words.startswith(said) else words


def of_server(observed: ObservedRevision) -> State:
    return State(*_SERVERS[observed.state])


def deployment_row(line: DeploymentLine) -> DeploymentRow:
    return DeploymentRow(line, of_deployment(line.deployment), deployment_words(line))


def place_state(place: ServedPlace) -> State:
    """How the requests of a place are answered: the worst of those that have a share."""
    sharing = [one for one in place.answering if one.percent]
    if not sharing:
        return State("off", "serves nothing") if place.assignment is None else State("bad", "not served")
    order = [RevisionState.READY, RevisionState.STARTING, RevisionState.GONE, RevisionState.FAILED]
    return of_server(max(sharing, key=lambda one: order.index(one.observed.state)).observed)


def milestones(line: DeploymentLine) -> list[Milestone]:
    deployment = line.deployment
    names = ["asked", *(["trained"] if _shows_training(deployment) else [])]
    names += ["approved"] if deployment.rule.approvals else []
    names += ["its turn", "registered", "deployed", "live"]
    current = _AT.get(deployment.phase) or _ended_at(deployment)
    at = names.index(current) if current in names else 0
    return [Milestone(name, _milestone_state(name, place - at, line)) for place, name in enumerate(names)]


def _shows_training(deployment: Deployment) -> bool:
    return deployment.kind is DeploymentKind.DEPLOY and not deployment.run_id and not deployment.version_id


def _ended_at(deployment: Deployment) -> str:
    """The stage that one which did not go live had come to."""
    if deployment.pipeline_run:
        return "deployed"
    if deployment.started_at is not None:
        return "registered"
    if _shows_training(deployment):
        return "trained"
    is_let_pass = deployment.approved_at is not None or not deployment.rule.approvals
    return "its turn" if is_let_pass else "approved"


def _milestone_state(name: str, distance: int, line: DeploymentLine) -> State:
    """`distance` is negative for what lies behind, 0 for where it is or ended."""
    phase = line.deployment.phase
    is_over = not phase.is_active
    if distance > 0:
        return State("off", "not reached") if is_over else State("waiting", "to come")
    words = _MILESTONE_WORDS[name](line)
    if distance < 0 or phase in (DeploymentPhase.LIVE, DeploymentPhase.REPLACED):
        return State("good", words)
    state = of_deployment(line.deployment)
    return State(state.look, state.words.lower() if is_over else words)


def _deployed_words(line: DeploymentLine) -> str:
    words = deployment_words(line) if line.deployment.phase is DeploymentPhase.DEPLOYING else ""
    return words.removeprefix("deploying: ") or "verified, started and tested"


def _live_words(line: DeploymentLine) -> str:
    return "replaced since" if line.deployment.phase is DeploymentPhase.REPLACED else "serves"


_MILESTONE_WORDS: dict[str, Callable[[DeploymentLine], str]] = {
    "asked": lambda line: f"by {line.deployment.requested_by}",
    "trained": lambda _line: "the run is awaited",
    "approved": lambda line: f"{len(line.approved_by)} of {line.deployment.rule.approvals}",
    "its turn": lambda line: f"place {line.place}" if line.place else "came",
    "registered": lambda line: line.deployment.version or "its tag is pushed",
    "deployed": _deployed_words,
    "live": _live_words,
}


def comparison_table(line: DeploymentLine) -> str:
    """Markdown: what would go live, or went, against what serves, or served before; "" when nothing is known of it."""
    rows = comparison_rows(line)
    if not rows:
        return ""
    is_live = line.deployment.phase is DeploymentPhase.LIVE
    goes, serves = ("live", "served before") if is_live else ("would go live", "serves now")
    if not line.deployment.phase.is_active and not is_live:
        goes = "was to go live"
    head = [f"| | {goes} | {serves} | Δ |", "| :-- | --: | --: | :-- |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])
