"""Pull requests as changes: as webhooks tell of them, and as they are listed for catching up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.domain.change import Change
from bot.domain.clock import Clock
from bot.forges.github.client import PER_PAGE, Client
from bot.forges.github.errors import Refused
from bot.forges.github.names import full_name_of
from bot.forges.github.pulls import Pull, read_pull

# what a webhook told longer ago is asked for again
_TRUSTED_FOR = timedelta(seconds=60)
_REMEMBERED = 20_000


class Changes:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._newest: OrderedDict[tuple[str, int], Pull] = OrderedDict()

    def as_told(self, pull: Pull) -> Change | None:
        """The change as it is now. What comes late, or after something newer, must not undo that; then GitHub is asked.
        None when it is gone."""
        known = self._newest.get(_place(pull))
        is_late = self._clock() - pull.updated_at > _TRUSTED_FOR
        is_newest = known is None or known.updated_at < pull.updated_at or known.change == pull.change
        if is_newest and not is_late:
            self._remember(pull)
            return pull.change
        return self._asked(pull)

    def listed(self, repository: str) -> Sequence[Change]:
        """All that are open, and the newest of the others."""
        full_name = full_name_of(repository)
        found = {pull.change.number: pull for pull in self._newest_page(full_name)}
        if len(found) >= PER_PAGE:
            found |= {pull.change.number: pull for pull in self._open(full_name)}
        for pull in found.values():
            self._remember(pull)
        return [found[number].change for number in sorted(found)]

    def updated_at(self, repository: str, number: int) -> datetime | None:
        """When GitHub last touched it, as far as is known: comments do, too."""
        known = self._newest.get((repository, number))
        return known.updated_at if known is not None else None

    def _newest_page(self, full_name: str) -> list[Pull]:
        query = {"state": "all", "sort": "updated", "direction": "desc"}
        pages = self._client.pages(full_name, "changes", f"/repos/{full_name}/pulls", query, _reader(full_name))
        return next(pages, [])

    def _open(self, full_name: str) -> list[Pull]:
        pages = self._client.pages(
            full_name, "changes", f"/repos/{full_name}/pulls", {"state": "open"}, _reader(full_name)
        )
        return [pull for page in pages for pull in page]

    def _asked(self, pull: Pull) -> Change | None:
        full_name = full_name_of(pull.change.repository)
        path = f"/repos/{full_name}/pulls/{pull.change.number}"
        try:
            now = self._client.unless_changed(full_name, "change", path, lambda answer: read_one(answer, full_name))
        except Refused as error:
            if error.status in (404, 410):
                return None
            raise
        if now is not None:
            self._remember(now)
        return now.change if now is not None else None

    def _remember(self, pull: Pull) -> None:
        self._newest[_place(pull)] = pull
        self._newest.move_to_end(_place(pull))
        while len(self._newest) > _REMEMBERED:
            self._newest.popitem(last=False)


def read_one(answer: Any, full_name: str) -> Pull | None:
    return read_pull(answer, full_name) if isinstance(answer, dict) else None


def _place(pull: Pull) -> tuple[str, int]:
    return pull.change.repository, pull.change.number


def _reader(full_name: str) -> Any:
    def read(answer: Any) -> list[Pull]:
        listed = answer if isinstance(answer, list) else []
        return [pull for item in listed if (pull := read_one(item, full_name)) is not None]

    return read
