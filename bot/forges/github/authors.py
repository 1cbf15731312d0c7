"""Who wrote the commits of a pull request."""

from __future__ import annotations

from typing import Any

import structlog

from bot.domain.change import Change
from bot.forges.github.client import Client
from bot.forges.github.fields import mapping, text
from bot.forges.github.names import full_name_of, is_login

# GitHub lists no more (GitHub docs, "List commits on a pull request")
MOST_COMMITS = 250
_NOBODY = "web-flow"  # who commits what is done on GitHub's own pages

log = structlog.get_logger()


class Authors:
    def __init__(self, client: Client) -> None:
        self._client = client

    def of(self, change: Change) -> frozenset[str]:
        """Whoever opened it, too. Commits whose e-mail address belongs to no user have no author here."""
        full_name = full_name_of(change.repository)
        path = f"/repos/{full_name}/pulls/{change.number}/commits"
        listed = [login for page in self._client.pages(full_name, "authors", path, {}, _read) for login in page]
        if len(listed) >= MOST_COMMITS:
            log.warning("authors_cut", repository=change.repository, change=change.number, commits=MOST_COMMITS)
        return frozenset({change.author, *listed} - {"", _NOBODY})


def _read(answer: Any) -> list[str]:
    """One for each commit, "" for nobody."""
    listed = [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []
    logins = [text(mapping(item, "author"), "login") for item in listed]
    return [login if is_login(login) else "" for login in logins]
