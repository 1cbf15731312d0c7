"""Whether GitLab answers, and the token may do what the bot needs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.errors import NEEDED_SCOPE, Refused

GOOD_FOR_S = 60.0


class Health:
    """A good answer is good for a minute: whoever probes the service often does not use up the quota."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._good_until: datetime | None = None

    def check(self) -> None:
        """Raises TransientError or UserError with the reason, naming a scope that is missing."""
        if self._good_until is not None and self._clock() < self._good_until:
            return
        self._client.call("user", lambda server: server.http_get("/user"))
        scopes = self._scopes()
        if scopes is not None and NEEDED_SCOPE not in scopes:
            has = ", ".join(f"`{scope}`" for scope in scopes) or "no scope"
            raise UserError(
                f"The bot's GitLab token has {has}, and lacks the scope `{NEEDED_SCOPE}`.",
                f"Make a token with the scope `{NEEDED_SCOPE}`, and set MLOPS_BOT_GITLAB_TOKEN to it.",
            )
        self._good_until = self._clock() + timedelta(seconds=GOOD_FOR_S)

    def _scopes(self) -> list[str] | None:
        """None when the token can not tell, such as one that is not a personal, project or group access token."""
        try:
            answer: Any = self._client.call("user", lambda server: server.http_get("/personal_access_tokens/self"))
        except Refused as refused:
            if refused.status in (400, 404):
                return None
            raise
        scopes = answer.get("scopes") if isinstance(answer, dict) else None
        return [str(scope) for scope in scopes] if isinstance(scopes, list) else None
