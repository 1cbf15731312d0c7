"""Commit statuses: what a check is on GitLab."""

from __future__ import annotations

import threading
from collections import OrderedDict

import structlog

from bot.domain.check import Check, CheckStatus, Conclusion
from bot.forges.gitlab.client import Client
from bot.forges.gitlab.errors import Refused

# of descriptions and of target addresses (GitLab docs, "Commits API", commit status; validated by GitLab)
LONGEST_DESCRIPTION = LONGEST_ADDRESS = 255
REMEMBERED = 2000

_STATES = {
    Conclusion.SUCCESS: "success",
    Conclusion.FAILURE: "failed",
    Conclusion.NEUTRAL: "success",  # there is none that lets a merge pass and is not a success; the words say it
    Conclusion.CANCELED: "canceled",
    Conclusion.ACTION_REQUIRED: "pending",  # it waits for people, and has not failed
}
_WORDS = {Conclusion.NEUTRAL: "Neutral: ", Conclusion.ACTION_REQUIRED: "Action required: "}

log = structlog.get_logger()


class Statuses:
    """A status names no ref, so that GitLab adds it to the commit's newest pipeline, or makes one for a branch."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._unfinished: OrderedDict[tuple[str, str, str], str] = OrderedDict()

    def put(self, path: str, check: Check) -> None:
        """What GitLab does not take because it shows it already, or can not show it, is not an error."""
        state = state_of(check)
        if check.status is not CheckStatus.COMPLETED and (
            self._unfinished.get((path, check.sha, check.name)) == state or self._client.has_little_quota
        ):
            return  # GitLab refuses to tell the same state again, even in other words
        fields = {"state": state, "name": check.name, "description": description_of(check)}
        if 0 < len(check.details_url) <= LONGEST_ADDRESS:
            fields["target_url"] = check.details_url
        try:
            self._client.call(
                "status",
                lambda server: (
                    server.projects.get(path, lazy=True).commits.get(check.sha, lazy=True).statuses.create(fields)
                ),
            )
        except Refused as refused:
            if not _is_harmless(refused):
                raise
            log.info("status_not_taken", project=path, sha=check.sha, check=check.name, reason=refused.reason)
        self._remember((path, check.sha, check.name), state)

    def _remember(self, key: tuple[str, str, str], state: str) -> None:
        with self._lock:
            self._unfinished.pop(key, None)
            if state in ("pending", "running"):
                self._unfinished[key] = state
            if len(self._unfinished) > REMEMBERED:
                self._unfinished.popitem(last=False)


def state_of(check: Check) -> str:
    if check.status is not CheckStatus.COMPLETED or check.conclusion is None:
        return "pending" if check.status is CheckStatus.QUEUED else "running"
    return _STATES[check.conclusion]


def description_of(check: Check) -> str:
    words = (_WORDS.get(check.conclusion, "") if check.conclusion else "") + check.title
    return words if len(words) <= LONGEST_DESCRIPTION else words[: LONGEST_DESCRIPTION - 1] + "…"


def _is_harmless(refused: Refused) -> bool:
    """A transition that would change nothing; or no branch holds the commit any more (or, for a fork's, ever did), or
    its pipeline is superseded."""
    if refused.status == 400:
        return "Cannot transition status" in refused.reason
    return refused.status == 404 and "Project" not in refused.reason
