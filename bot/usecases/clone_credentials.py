"""Tokens for the addresses that a run clones from, and no other: handed to the engine with the run, or to its fetch
step in exchange for the run's own token."""

from __future__ import annotations

from bot.domain.errors import UserError
from bot.domain.run import Phase, Run
from bot.usecases.world import World

Credentials = dict[str, dict[str, str]]


def clone_credentials(run: Run, world: World) -> Credentials:
    """Clone address to username and password; addresses for which there is no token are left out."""
    addresses = {str(run.arguments[name]) for name in ("clone_address", "data_address") if run.arguments.get(name)}
    found = {address: world.credential_of(address) for address in sorted(addresses)}
    return {
        address: {"username": credential.username, "password": credential.password}
        for address, credential in found.items()
        if credential is not None
    }


def exchanged(run_id: str, world: World) -> Credentials:
    """Raises UserError for a run that does not go on: its token is good for nothing any more."""
    run = world.store.run(run_id)
    if run is None or run.phase not in (Phase.STARTING, Phase.RUNNING) or run.cancel_requested_by is not None:
        raise UserError("This run does not go on, so it is given no token for its repository.", "Order it again.")
    return clone_credentials(run, world)
