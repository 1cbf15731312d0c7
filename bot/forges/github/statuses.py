"""Commit statuses: what a token, which can not make check runs, shows beside a commit."""

from __future__ import annotations

from bot.domain.check import Check, Conclusion
from bot.forges.github.client import Client

# GitHub docs, "REST API endpoints for commit statuses": short; refused when longer
LONGEST_DESCRIPTION = 140

_STATES = {
    None: "pending",
    Conclusion.SUCCESS: "success",
    Conclusion.NEUTRAL: "success",  # it has no neutral, and what says nothing must not block a merge
    Conclusion.FAILURE: "failure",
    Conclusion.ACTION_REQUIRED: "pending",  # it waits for people, and has not failed
    Conclusion.CANCELED: "error",
}


class Statuses:
    def __init__(self, client: Client) -> None:
        self._client = client

    def put(self, full_name: str, check: Check, *, known_id: str | None) -> str:
        """A new status of a commit takes the place of the one of the same name, so its name is its id."""
        if check.conclusion is None and self._client.has_little_quota(full_name):
            return known_id or ""
        title = check.title or str(check.status)
        shown = title if len(title) <= LONGEST_DESCRIPTION else title[: LONGEST_DESCRIPTION - 1] + "…"
        body = {"state": _STATES[check.conclusion], "context": check.name, "description": shown}
        if check.details_url.startswith(("https://", "http://")):
            body["target_url"] = check.details_url
        self._client.ask(full_name, "status", "POST", f"/repos/{full_name}/statuses/{check.sha}", body=body)
        return check.name
