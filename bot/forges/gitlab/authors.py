"""Who wrote the commits of a merge request."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from bot.domain.change import Change
from bot.domain.errors import UserError
from bot.forges.gitlab.client import PER_PAGE, Client
from bot.forges.gitlab.fields import mapping, mappings, text
from bot.forges.gitlab.names import path_of, storable

MOST_PAGES = 10
# the REST API tells only the e-mail addresses; here GitLab finds their users, also by addresses that it shows to nobody
_COMMITS = f"""
query($path: ID!, $number: String!, $after: String) {{
  project(fullPath: $path) {{
    mergeRequest(iid: $number) {{
      commits(first: {PER_PAGE}, after: $after) {{
        nodes {{ author {{ username }} }}
        pageInfo {{ hasNextPage endCursor }}
      }}
    }}
  }}
}}
"""

log = structlog.get_logger()


class Authors:
    def __init__(self, client: Client) -> None:
        self._client = client

    def of(self, change: Change) -> frozenset[str]:
        """Whoever opened it, too. Commits whose e-mail address belongs to no user have no author here."""
        return frozenset({change.author, *self._of_commits(change)} - {""})

    def _of_commits(self, change: Change) -> Iterator[str]:
        after = None
        for _ in range(MOST_PAGES):
            variables = {"path": path_of(change.repository), "number": str(change.number), "after": after}
            data = self._client.graphql("authors", _COMMITS, variables)
            merge_request = mapping(mapping(data, "project"), "mergeRequest")
            if not merge_request:
                raise UserError(f"GitLab does not show the commits of {change.repository}!{change.number} to the bot.")
            commits = mapping(merge_request, "commits")
            for commit in mappings(commits, "nodes"):
                yield storable(text(mapping(commit, "author"), "username"))
            page = mapping(commits, "pageInfo")
            after = text(page, "endCursor")
            if page.get("hasNextPage") is not True or not after:
                return
        log.warning("authors_cut", repository=change.repository, change=change.number, pages=MOST_PAGES)
