"""What git answered: its lines, and its refusals in words."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.errors import TransientError, UserError
from bot.domain.words import quoted
from bot.mirror.address import Address
from bot.mirror.command import Finished

REFUSED = (
    "authentication failed",
    "could not read username",
    "permission denied",
    "not found",
    "does not appear to be a git repository",
    "returned error: 403",
    "returned error: 401",
    "host key verification failed",
)


def lines(output: bytes) -> list[str]:
    """The lines that are UTF-8: a reference of another name can not be shown or stored, so it is left out."""
    found = []
    for line in output.split(b"\n"):
        try:
            found.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            continue
    return [line for line in found if line]


def says(done: Finished, words: Sequence[str]) -> bool:
    return any(word in done.error.lower() for word in words)


def unknown_commit(address: Address, sha: str) -> UserError:
    return UserError(f"The repository {address.shown} has no commit {quoted(sha)}.", "Was it pushed?")


def raise_unless_done(done: Finished, address: Address) -> None:
    if done.status == 0:
        return
    reason = last_words(done)
    if says(done, REFUSED):
        raise UserError(
            f"The repository {address.shown} can not be read: {reason}.", "Check the address and its access."
        )
    raise TransientError(f"The repository {address.shown} can not be reached: {reason}.")


def last_words(done: Finished) -> str:
    return quoted(done.error.splitlines()[-1] if done.error else "no reason given", limit=300)
