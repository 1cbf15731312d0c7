"""Looks at each part that the bot stands on: what works, what does not, and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bot.domain.errors import TransientError, UserError
from bot.domain.masking import mask
from bot.usecases.world import World

# Gives a few words on what is there; raises UserError or TransientError with what does not work.
Check = Callable[[], str]

# For what may pass by itself, by the first word of the part.
REMEDIES = {
    "store": "Is MLOPS_BOT_DATABASE_URL right, and does the database answer?",
    "engine": "Its log is `engine/runner.log` in the bot's home folder.",
    "artifacts": "Is MLOPS_BOT_ARTIFACTS_URL right, and is there space, and the permission to write?",
    "forge": "Does the forge's status page say anything? Else look at the network, proxies and certificates.",
    "serving": "Logs of model servers are below `serving/` in the bot's home folder; on a cluster, ask its API server.",
    "loop": "The service's log says what it is busy with, or why it fails.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`words` are what is there, or what does not work; `fix` is the remedy, "" where none is needed."""

    part: str
    works: bool
    words: str
    fix: str = ""


def checks_of(world: World) -> dict[str, Check]:
    """Of a service that runs: its store, forges, engine, artifact store, and where models serve."""
    return {
        "store": _quiet(world.store.ping, "answers"),
        **{f"forge {name}": _quiet(forge.check_health, "answers") for name, forge in sorted(world.forges.items())},
        "engine": _quiet(world.engine.check_health, world.engine.name),
        "artifacts": _quiet(world.artifacts.check_health, "answers"),
        **({"serving": _quiet(world.serving.check_health, world.serving.name)} if world.serving is not None else {}),
        **({"policy": world.check_policy} if world.check_policy is not None else {}),
    }


def examine(checks: Mapping[str, Check], *, secrets: Iterable[str]) -> list[Finding]:
    """Every check is made, whatever the others find."""
    known = tuple(secrets)
    return [_finding(part, check, known) for part, check in checks.items()]


def _finding(part: str, check: Check, secrets: tuple[str, ...]) -> Finding:
    try:
        return Finding(part, True, mask(check(), secrets))
    except UserError as error:
        return Finding(part, False, mask(error.problem, secrets), mask(error.fix, secrets))
    except TransientError as error:
        return Finding(part, False, mask(error.problem, secrets), REMEDIES.get(part.partition(" ")[0], ""))


def _quiet(check: Callable[[], None], words: str) -> Check:
    def look() -> str:
        check()
        return words

    return look
