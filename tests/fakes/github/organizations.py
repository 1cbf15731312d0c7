"""Organizations on the fake GitHub: who has installed the App, and who is in which team."""

from __future__ import annotations

from typing import Any

from tests.fakes.github import shapes
from tests.fakes.github.requests import Refusal, Request
from tests.fakes.github.world import World


def installation(world: World, request: Request) -> Any:
    for one in world.installations.values():
        if one.account.lower() == request.parts["org"].lower() and one.account_type == "Organization":
            return shapes.installation(one, world.app)
    raise Refusal(404, "Not Found")


def membership(world: World, request: Request) -> Any:
    """404 for no member, for no such team, and for whoever is not to see it."""
    organization, slug = request.parts["org"].lower(), request.parts["team_slug"].lower()
    of = request.the_grant.installation
    state = world.teams.get(f"{organization}/{slug}", {}).get(request.parts["username"].lower())
    if state is None or (of is not None and of.account.lower() != organization):
        raise Refusal(404, "Not Found")
    return {"url": "https://evil.example/", "role": "member", "state": state}
