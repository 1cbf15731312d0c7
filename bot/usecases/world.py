"""All that a use case may touch, behind ports. Built in `bot/wiring.py` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.clock import Clock
from bot.domain.links import Links
from bot.domain.retention import Retention
from bot.domain.server_policy import RepositoryPolicy
from bot.ports.artifacts import Artifacts
from bot.ports.engine import Engine
from bot.ports.forge import Forge, GitCredential
from bot.ports.git import Git
from bot.ports.registry import Registry
from bot.ports.serving import Serving
from bot.ports.store import Store


@dataclass(frozen=True, slots=True)
class World:
    """`callback_token` makes the token of one run. `policy_of` gives what the server asks of a repository now,
    `secrets_of` the values of secrets that it lets the repository have (raises UserError for others, and for missing
    ones), `check_policy` what is wrong with the policy's file; None where there is none. `credential_of` gives the
    token for a watched clone address. `callback_links` is where steps reach the bot, which may differ from the public
    address; None where nothing listens. `pipeline_versions` maps a pipeline to the hash of its compiled package.
    `admission` is held while a run takes one of the engine's places, `turn_of` a row while what it shows is posted.
    `registry` and `serving` are None for a working tree, which deploys nothing. `retention` gives how long what runs
    leave is kept, None for ever. `leftovers` are files of this machine that are made again when they are needed, by
    what they are: each removes what was not used since a time, or only looks (True), and gives how many, how much."""

    clock: Clock
    store: Store
    forges: Mapping[str, Forge]
    engine: Engine
    artifacts: Artifacts
    git: Git
    links: Links
    callback_links: Links | None
    callback_token: Callable[[str], str]
    secrets_of: Callable[[str, tuple[str, ...]], Mapping[str, str]]
    credential_of: Callable[[str], GitCredential | None]
    pipeline_versions: Mapping[str, str]
    admission: AbstractContextManager[object]
    turn_of: Callable[[str], AbstractContextManager[object]]
    registry: Registry | None = None
    serving: Serving | None = None
    policy_of: Callable[[str], RepositoryPolicy] = lambda _repository: RepositoryPolicy()
    check_policy: Callable[[], str] | None = None
    retention: Callable[[], Retention | None] = lambda: None
    leftovers: Mapping[str, Callable[[datetime, bool], tuple[int, int]]] = field(default_factory=dict)

    def forge_of(self, repository: str) -> Forge:
        return self.forges[repository.partition("/")[0]]
