"""Which tokens a run is given to clone with, and until when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.errors import UserError
from bot.ports.forge import GitCredential
from bot.usecases.clone_credentials import exchanged
from tests.usecases.kit import Place


def test_a_run_is_given_tokens_for_its_own_addresses_until_it_is_canceled(place: Place):
    run = place.run(place.start())
    own = str(run.arguments["clone_address"])
    world = replace(place.world, credential_of=lambda address: GitCredential("", "x-access-token", f"for {address}"))

    assert exchanged(run.id, world) == {own: {"username": "x-access-token", "password": f"for {own}"}}
    with place.store.transaction() as tx:
        tx.request_cancel(run.id, by="ada", superseded_by=None, now=place.now)
    with pytest.raises(UserError, match="This run does not go on"):
        exchanged(run.id, world)
    with pytest.raises(UserError, match="This run does not go on"):
        exchanged("run-0123456789abcdef", world)
