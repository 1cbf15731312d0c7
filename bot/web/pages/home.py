"""`/`: all repositories, with their open changes and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from bot.domain.change import Change, ChangeState, Repository
from bot.domain.run import Run
from bot.web.live import Cursor, News, changed, digest, encode_cursor
from bot.web.pages.answers import common, page
from bot.web.pages.change import CheckLine, check_lines
from bot.web.pages.environments import environment_cards
from bot.web.runs_view import RunLine, newest_by_model, run_lines
from bot.web.site import Site, site_of
from bot.web.states import State, together

CHANGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A change in a list. Where nothing ran for its head, its checks tell why; without those, `state` is None."""

    change: Change
    state: State | None
    lines: list[RunLine]
    checks: Sequence[CheckLine] = ()


@dataclass(frozen=True, slots=True)
class RepositoryCard:
    repository: Repository
    changes: list[ChangeLine]
    branch_lines: list[RunLine]


def home(request: Request) -> Response:
    fragments = _fragments(request)
    cursor = encode_cursor({name: digest(html) for name, html in fragments.items()})
    return page(request, "home.html", fragments=fragments, cursor=cursor)


def home_events(request: Request) -> Response:
    def look(cursor: Cursor) -> News:
        return News(changed(_fragments(request), cursor))

    return site_of(request).streams.respond(request, look)


def change_lines(changes: Sequence[Change], runs: Sequence[Run], site: Site) -> list[ChangeLine]:
    """`runs` of these changes, newest first."""
    lines = []
    for change in changes:
        of_head = [run for run in runs if run.number == change.number and run.sha == change.head_sha]
        newest = run_lines(newest_by_model(of_head), site.world)
        checks = [] if newest else check_lines(site.actions.checks(change.repository, change.head_sha))
        state = together(line.state for line in (newest or checks))
        lines.append(ChangeLine(change, state, newest, checks))
    return lines


def _fragments(request: Request) -> dict[str, str]:
    site = site_of(request)
    values = {
        **common(request),
        "cards": [_card(repository, site) for repository in site.world.store.repositories()],
        "home": site.settings.home,
        "environments": environment_cards(site.world),
    }
    names = {"serving": "serving_strip", "repositories": "repositories"}
    return {name: site.renderer.page(f"parts/{file}.html", **values) for name, file in names.items()}


def _card(repository: Repository, site: Site) -> RepositoryCard:
    world = site.world
    open_changes = world.store.changes(repository.key, state=ChangeState.OPEN, limit=CHANGES_SHOWN)
    runs = world.store.runs(repository=repository.key, limit=200) if open_changes else []
    of_branch = world.store.runs(repository=repository.key, branch=repository.default_branch, limit=20)
    newest = newest_by_model([run for run in of_branch if run.number is None])
    return RepositoryCard(repository, change_lines(open_changes, runs, site), run_lines(newest, world))
