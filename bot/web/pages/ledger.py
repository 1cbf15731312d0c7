"""The ledger: who did what, when, to what. Newest first, in pages."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from bot.domain.feedback import LedgerEntry
from bot.domain.links import Links
from bot.web.pages.answers import page
from bot.web.site import site_of

PAGE_ENTRIES = 100
FILTERS = ("repository", "model", "environment")
FILTER_LIMIT = 300  # characters
DIGITS = 18


@dataclass(frozen=True, slots=True)
class EntryRow:
    """`action` in words; `address` leads to what it is about, "" where there is no page for it."""

    entry: LedgerEntry
    action: str
    address: str


def ledger(request: Request) -> Response:
    store, query = site_of(request).world.store, request.query_params
    chosen = {name: query.get(name, "")[:FILTER_LIMIT].strip() for name in FILTERS}
    given = {name: value for name, value in chosen.items() if value}
    before = query.get("before", "")
    cursor = int(before) if before.isdecimal() and before.isascii() and len(before) <= DIGITS else None
    found = store.ledger(
        repository=given.get("repository"),
        model=given.get("model"),
        environment=given.get("environment"),
        before=cursor,
        limit=PAGE_ENTRIES + 1,
    )
    shown = found[:PAGE_ENTRIES]
    older = urlencode({**given, "before": shown[-1].seq}) if len(found) > PAGE_ENTRIES else ""
    return page(
        request,
        "ledger.html",
        rows=[EntryRow(entry, entry.action.replace("_", " "), _address(entry)) for entry in shown],
        chosen=chosen,
        older=older,
        newest=urlencode(given) if cursor is not None else "",
        is_first=cursor is None,
        export=f"/api/v1/ledger?{urlencode(given)}".removesuffix("?"),
        repositories=[repository.key for repository in store.repositories()],
    )


def _address(entry: LedgerEntry) -> str:
    links, subject = Links(), entry.subject
    if subject.startswith("dep-"):
        return links.deployment(subject)
    if subject.startswith("run-"):
        return links.run(subject)
    if entry.action.startswith("version_"):
        return links.model(entry.repository, subject)
    return ""
