"""Who is in a team of an organization."""

from __future__ import annotations

import structlog

from bot.domain.errors import UserError
from bot.forges.github.auth import SEE_TEAMS
from bot.forges.github.client import Client
from bot.forges.github.errors import Refused
from bot.forges.github.fields import text
from bot.forges.github.names import is_login, is_team

_NEEDED = "organization permission `members: read`"  # of a classic token: the scope `read:org`

log = structlog.get_logger()


class Teams:
    """Asked each time, and never remembered: approvals are looked at again just before a deployment starts."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def has(self, group: str, user: str) -> bool:
        """`group` is `acme/ml-leads`; members of its child teams count. False when the bot may not see it."""
        team = group.removeprefix("@")
        if not is_team(team) or not is_login(user):
            return False
        organization, _, slug = team.partition("/")
        path = f"/orgs/{organization}/teams/{slug}/memberships/{user}"
        try:
            answer = self._client.ask(organization, "team", "GET", path, permissions=SEE_TEAMS)
        except Refused as error:
            if error.status not in (403, 404):
                raise
            # 404 is also said of a team that is not there, or is hidden from the bot
            tell = log.info if error.status == 404 else log.warning
            tell("not_seen_in_team", team=team, user=user, needed=_NEEDED)
            return False
        except UserError as error:  # there is no token for it
            log.warning("team_not_seen", team=team, needed=_NEEDED, problem=error.problem)
            return False
        return isinstance(answer.data, dict) and text(answer.data, "state") == "active"
