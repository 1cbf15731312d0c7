"""What the pages say of a model: its versions, where they served, what made them, and their card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.comments.model_card import card_text
from bot.domain.approval import Approval
from bot.domain.deployment import Deployment
from bot.domain.errors import TransientError, UserError
from bot.domain.gate import parse_gate
from bot.domain.version import Assignment, Version, VersionPhase
from bot.usecases.deployments.overview import ServedPlace
from bot.usecases.world import World
from bot.web.states import State

CARD_FILE = "MODEL_CARD.md"
CARD_LIMIT_BYTES = 256 * 1024
DEPLOYMENTS_READ = 500

_PHASES = {
    VersionPhase.WANTED: State("busy", "being registered"),
    VersionPhase.REGISTERED: State("good", "registered"),
    VersionPhase.REFUSED: State("bad", "could not be registered"),
    VersionPhase.MISSING: State("warned", "its tag is gone"),
}


@dataclass(frozen=True, slots=True)
class VersionRow:
    """`name` is such as `v1.2.0`, "" while the number is only planned. `serves_in` are environments."""

    version: Version
    name: str
    state: State
    gates: str
    serves_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stay:
    """A version served in an environment from `assignment.at` until `until`; None where it still does."""

    assignment: Assignment
    name: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A deployment of a version, and what was decided of it."""

    deployment: Deployment
    approvals: tuple[Approval, ...]


def version_rows(versions: Sequence[Version], places: Sequence[ServedPlace]) -> list[VersionRow]:
    """What is not registered yet first, then the highest number first."""
    serves: dict[str, list[str]] = {}
    for place in places:
        if place.assignment is not None:
            serves.setdefault(place.assignment.commit_sha, []).append(place.environment)
    return [
        VersionRow(
            version=version,
            name=version_name(version),
            state=_PHASES[version.phase],
            gates=gates_words(version),
            serves_in=tuple(serves.get(version.commit_sha, ())) if version.commit_sha else (),
        )
        for version in sorted(versions, key=_order, reverse=True)
    ]


def _order(version: Version) -> tuple[bool, object, datetime]:
    return not version.commit_sha, version.lock.number, version.at


def version_name(version: Version) -> str:
    return str(version.lock.number) if version.commit_sha else ""


def gates_words(version: Version) -> str:
    """It was registered, so each of its gates was met, or waived."""
    lock = version.lock
    if not lock.gates:
        return "none asked for"
    met = f"{len(lock.gates) - len(lock.waived)} of {len(lock.gates)} met"
    return f"{met}, {len(lock.waived)} waived" if lock.waived else met


def stays(assignments: Sequence[Assignment], versions: Sequence[Version]) -> list[Stay]:
    """The newest first. Tags that people made by hand never served."""
    names = {version.commit_sha: str(version.lock.number) for version in versions if version.commit_sha}
    made = sorted((one for one in assignments if one.deployment_id), key=lambda one: (one.at, one.serial))
    ended: dict[str, datetime] = {}
    found = []
    for assignment in reversed(made):
        name = names.get(assignment.commit_sha, assignment.commit_sha[:10])
        found.append(Stay(assignment, name, ended.get(assignment.environment)))
        ended[assignment.environment] = assignment.at
    return found


def passages(version: Version, world: World) -> list[Passage]:
    """The deployments of a version, the newest first."""
    found = world.store.deployments(repository=version.repository, model=version.lock.model, limit=DEPLOYMENTS_READ)
    return [
        Passage(deployment, tuple(world.store.approvals(deployment.id)))
        for deployment in found
        if deployment.version_id == version.id
    ]


def charted_metrics(versions: Iterable[Version]) -> list[str]:
    """Those that gates are about first."""
    there = {name for version in versions if version.commit_sha for name in version.lock.metrics}
    gated = {name for version in versions for name in _gated(version)}
    return [*sorted(there & gated), *sorted(there - gated)]


def _gated(version: Version) -> list[str]:
    names = []
    for text in version.lock.gates:
        try:
            names.append(parse_gate(text).metric)
        except UserError:  # a lock from another time, or another hand
            continue
    return names


def chart_points(versions: Sequence[Version], metric: str) -> list[tuple[str, float]]:
    """The oldest first."""
    registered = sorted((one for one in versions if one.commit_sha), key=lambda one: one.lock.number)
    return [
        (str(version.lock.number), version.lock.metrics[metric].value)
        for version in registered
        if metric in version.lock.metrics
    ]


def model_card(version: Version, world: World) -> str:
    """Its Markdown without the metadata in front, which programs read; "" where there is none or git is out of
    reach."""
    repository = world.store.repository(version.repository)
    if repository is None or not version.commit_sha:
        return ""
    address = repository.clone_address
    try:
        world.git.fetch(address, [version.commit_sha])
        content = world.git.read(address, version.commit_sha, CARD_FILE, limit_bytes=CARD_LIMIT_BYTES)
    except (TransientError, UserError):  # a page of facts from the store is better than none
        return ""
    return card_text((content or b"").decode("utf-8", "replace"))
