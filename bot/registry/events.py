"""From tags to what they say together, as GTO reads them: what was made, without what was taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.version import Assignment, VersionNumber
from bot.ports.git import Tag
from bot.registry.messages import DEPLOYMENT, asked_by, facts
from bot.registry.tag_names import TagName, parse_tag_name


@dataclass(frozen=True, slots=True)
class Event:
    tag: Tag
    name: TagName

    @property
    def place(self) -> tuple[str, VersionNumber | None, str, str]:
        """What it is about: a version, or an environment of a model, at a commit."""
        return self.name.model, self.name.number, self.name.environment, self.tag.commit_sha


def events_of(tags: Iterable[Tag]) -> list[Event]:
    """In the order in which they happened. In the same second, taking back comes last, as for GTO."""
    named = [(tag, parse_tag_name(tag.name)) for tag in tags]
    events = [Event(tag, name) for tag, name in named if name is not None]
    return sorted(events, key=lambda event: (event.tag.by.at, event.name.is_back, event.name.serial, event.tag.name))


def standing(events: Sequence[Event]) -> list[Event]:
    """What was made and is not taken back. With a version its assignments are taken back."""
    taken_back = {event.place: number for number, event in enumerate(events) if event.name.is_back}
    made = [event for number, event in enumerate(events) if number > taken_back.get(event.place, -1)]
    versions = {(event.name.model, event.tag.commit_sha) for event in made if event.name.number}
    gone = {(event.name.model, event.tag.commit_sha) for event in events if event.name.number} - versions
    return [event for event in made if (event.name.model, event.tag.commit_sha) not in gone]


def newest_versions(events: Sequence[Event]) -> list[Event]:
    """One for each model and number, by rising number."""
    found = {(event.name.model, event.name.number): event for event in events if event.name.number is not None}
    return sorted(found.values(), key=lambda event: (event.name.number or _NOTHING, event.name.model))


def assignment_of(repository: str, event: Event) -> Assignment:
    return Assignment(
        repository=repository,
        model=event.name.model,
        environment=event.name.environment,
        serial=event.name.serial,
        commit_sha=event.tag.commit_sha,
        by=asked_by(event.tag),
        at=event.tag.by.at,
        deployment_id=facts(event.tag).get(DEPLOYMENT, ""),
    )


def highest_numbers(events: Iterable[Event]) -> Mapping[str, VersionNumber]:
    highest: dict[str, VersionNumber] = {}
    for event in events:
        if event.name.number is not None:
            highest[event.name.model] = max(highest.get(event.name.model, _NOTHING), event.name.number)
    return highest


def highest_serials(events: Iterable[Event]) -> Mapping[str, int]:
    highest: dict[str, int] = {}
    for event in events:
        highest[event.name.model] = max(highest.get(event.name.model, 0), event.name.serial)
    return highest


_NOTHING = VersionNumber(0, 0, 0)
