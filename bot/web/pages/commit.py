"""A commit: its checks and runs. This is where a push to a branch itself is answered."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.feedback import Notice, Subject
from bot.usecases.world import World
from bot.web.live import Cursor, News, changed, digest, encode_cursor
from bot.web.pages.answers import common, page, repository_or_404
from bot.web.pages.change import check_lines
from bot.web.runs_view import run_lines
from bot.web.site import site_of

RUNS_READ = 500


def commit(request: Request) -> Response:
    fragments = _fragments(request)
    if fragments is None:
        raise HTTPException(404)
    return page(
        request,
        "commit.html",
        repository=repository_or_404(request),
        sha=request.path_params["sha"],
        fragments=fragments,
        cursor=encode_cursor({name: digest(html) for name, html in fragments.items()}),
    )


def commit_events(request: Request) -> Response:
    repository_or_404(request)

    def look(cursor: Cursor) -> News:
        fragments = _fragments(request)
        return News(changed(fragments or {}, cursor), is_last=fragments is None)

    return site_of(request).streams.respond(request, look)


def _fragments(request: Request) -> dict[str, str] | None:
    """None for a commit of which nothing is known."""
    site, repository, sha = site_of(request), repository_or_404(request), request.path_params["sha"]
    runs = [run for run in site.world.store.runs(repository=repository.key, limit=RUNS_READ) if run.sha == sha]
    checks = site.actions.checks(repository.key, sha)
    branches = [branch for branch, head in site.world.store.heads(repository.key).items() if head == sha]
    if not runs and not checks and not branches:
        return None
    values = {
        **common(request),
        "repository": repository,
        "checks": check_lines(checks),
        "lines": run_lines(runs, site.world),
        "notices": _notices(site.world, repository.key, sha, branches),
        "branches": branches,
    }
    names = {"checks": "checks", "runs": "commit_runs"}
    return {name: site.renderer.page(f"parts/{file}.html", **values) for name, file in names.items()}


def _notices(world: World, repository: str, sha: str, branches: list[str]) -> list[Notice]:
    subjects = [Subject(repository, None, branch, sha) for branch in branches]
    feedback = [world.store.feedback(subject.id) for subject in subjects]
    return [one.notice for one in feedback if one is not None and one.notice is not None and one.notice.sha == sha]
