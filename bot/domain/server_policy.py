"""What the server asks of repositories, whatever their own `mlops.yaml` says. `bot/policy_file` reads it from text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeVar

from bot.domain.glob import glob_matches
from bot.domain.retention import Retention
from bot.domain.words import quoted

N = TypeVar("N", int, float)


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where the server takes a secret's value from: a variable of its own, or a file. One of them is given."""

    env: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"the variable {quoted(self.env)}" if self.env else f"the file {quoted(self.file, limit=200)}"


@dataclass(frozen=True, slots=True)
class EnvironmentPolicy:
    """`approvers` None leaves them to `mlops.yaml`, () is nobody."""

    approvals: int = 0
    approvers: tuple[str, ...] | None = None
    only_merged: bool = False


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most that a step or a model server may ask for; None is no ceiling."""

    cpu: float | None = None
    memory_bytes: int | None = None
    gpu: int | None = None


@dataclass(frozen=True, slots=True)
class RepositoryPolicy:
    """What counts for one repository. Without an entry for it, nothing is asked, and no secret is given.

    None allows everything. An image has to match a glob of each group of `images`. `override_by` are users and groups,
    () is nobody, None whoever may write. `override_for_s` is how long a waiver lasts, None as long as usual.
    """

    secrets: Mapping[str, SecretSource] = field(default_factory=dict)
    environments: Mapping[str, EnvironmentPolicy] = field(default_factory=dict)
    allowed_environments: tuple[str, ...] | None = None
    engines: tuple[str, ...] | None = None
    images: tuple[tuple[str, ...], ...] = ()
    ceiling: Ceiling = Ceiling()
    override_by: tuple[str, ...] | None = None
    override_for_s: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """`match` are globs of repositories' keys: `github/acme/*`."""

    match: tuple[str, ...]
    policy: RepositoryPolicy

    def is_for(self, repository: str) -> bool:
        """Without regard to case, as on GitHub and GitLab: a policy must not be missed for the sake of a capital."""
        return any(glob_matches(pattern.casefold(), repository.casefold()) for pattern in self.match)


@dataclass(frozen=True, slots=True)
class ServerPolicy:
    """`keep` None keeps what runs leave for ever."""

    entries: tuple[PolicyEntry, ...] = ()
    keep: Retention | None = None

    def of(self, repository: str) -> RepositoryPolicy:
        """All entries that match count, the stricter of each."""
        matching = (entry.policy for entry in self.entries if entry.is_for(repository))
        return reduce(stricter, matching, RepositoryPolicy())


def stricter(one: RepositoryPolicy, other: RepositoryPolicy) -> RepositoryPolicy:
    """What both ask: more approvals, only the people, environments and engines that both name, the lower ceiling, the
    shorter waiver; and the secrets of either, where of one that both give, the other's source counts."""
    environments = dict.fromkeys([*one.environments, *other.environments])
    return RepositoryPolicy(
        secrets={**one.secrets, **other.secrets},
        environments={name: _environment(one, other, name) for name in environments},
        allowed_environments=_both(one.allowed_environments, other.allowed_environments),
        engines=_both(one.engines, other.engines),
        images=tuple(dict.fromkeys((*one.images, *other.images))),
        ceiling=Ceiling(
            cpu=_least(one.ceiling.cpu, other.ceiling.cpu),
            memory_bytes=_least(one.ceiling.memory_bytes, other.ceiling.memory_bytes),
            gpu=_least(one.ceiling.gpu, other.ceiling.gpu),
        ),
        override_by=_people(one.override_by, other.override_by),
        override_for_s=_least(one.override_for_s, other.override_for_s),
    )


def normal_name(person: str) -> str:
    """Forges do not tell `Alice` from `alice`, and people write `@alice` for both."""
    return person.removeprefix("@").casefold()


def is_group(person: str) -> bool:
    """`@acme/ml-leads`"""
    return "/" in person


def _environment(one: RepositoryPolicy, other: RepositoryPolicy, name: str) -> EnvironmentPolicy:
    first = one.environments.get(name, EnvironmentPolicy())
    second = other.environments.get(name, EnvironmentPolicy())
    return EnvironmentPolicy(
        approvals=max(first.approvals, second.approvals),
        approvers=_people(first.approvers, second.approvers),
        only_merged=first.only_merged or second.only_merged,
    )


def _both(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(name for name in one if name in other)


def _people(one: Sequence[str] | None, other: Sequence[str] | None) -> tuple[str, ...] | None:
    """Who is in a group is not known here, so only who is named in the same way by both is left."""
    if one is None or other is None:
        left: Iterable[str] | None = other if one is None else one
        return None if left is None else tuple(left)
    known = {normal_name(person) for person in other}
    return tuple(person for person in one if normal_name(person) in known)


def _least(one: N | None, other: N | None) -> N | None:
    return min((value for value in (one, other) if value is not None), default=None)
