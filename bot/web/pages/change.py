"""A change: what it is, how its checks stand, what was said, and the box to say more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.domain.change import Change, Repository
from bot.domain.check import Check
from bot.domain.errors import UserError
from bot.domain.links import Links
from bot.domain.report_deployments import shown_deployments
from bot.ports.plain_records import Post
from bot.usecases.deployments.overview import seen_lines
from bot.web.deployments_view import deployment_row
from bot.web.forms import COMMENT_FIELD, read_own_form
from bot.web.live import Cursor, News, changed, digest, encode_cursor
from bot.web.pages.answers import common, page, repository_or_404
from bot.web.runs_view import run_lines
from bot.web.site import Site, site_of
from bot.web.states import State, of_change, of_check

RUNS_SHOWN = 30
DEPLOYMENTS_READ = 100


@dataclass(frozen=True, slots=True)
class CheckLine:
    check: Check
    state: State


def change(request: Request) -> Response:
    return _change_page(request)


def change_events(request: Request) -> Response:
    repository, number = repository_or_404(request), _number(request)
    site = site_of(request)

    def look(cursor: Cursor) -> News:
        seen = site.world.store.change(repository.key, number)
        return News(changed(_fragments(request, repository, seen), cursor) if seen else (), is_last=seen is None)

    return site.streams.respond(request, look)


async def comment(request: Request) -> Response:
    fields = await read_own_form(request)
    return await anyio.to_thread.run_sync(_comment, request, fields.get(COMMENT_FIELD, ""))


def post_comment(site: Site, repository: str, number: int, *, author: str, body: str) -> str:
    """Gives the comment's id. Raises UserError when it is refused."""
    text = body.replace("\r\n", "\n").strip()
    limit = site.world.forge_of(repository).capabilities.comment_limit
    if not text:
        raise UserError("The comment is empty.", "Write something, for example `/help`.")
    if len(text) > limit:
        raise UserError(f"The comment has {len(text):,} characters.", f"Keep it within {limit:,}.")
    return site.actions.comment(repository, number, author, text)


def check_lines(checks: Sequence[Check]) -> list[CheckLine]:
    return [CheckLine(check, of_check(check)) for check in sorted(checks, key=lambda check: check.name)]


def _comment(request: Request, body: str) -> Response:
    site, repository, number = site_of(request), repository_or_404(request), _number(request)
    try:
        post_comment(site, repository.key, number, author=site.user, body=body)
    except UserError as error:
        return _change_page(request, status=422, draft=body, refusal=error)
    return RedirectResponse(f"{Links().change(repository.key, number)}#latest", 303)


def _change_page(request: Request, *, status: int = 200, draft: str = "", refusal: UserError | None = None) -> Response:
    repository = repository_or_404(request)
    seen = site_of(request).world.store.change(repository.key, _number(request))
    if seen is None:
        raise HTTPException(404)
    fragments = _fragments(request, repository, seen)
    return page(
        request,
        "change.html",
        status=status,
        repository=repository,
        change=seen,
        fragments=fragments,
        cursor=encode_cursor({name: digest(html) for name, html in fragments.items()}),
        draft=draft,
        refusal=refusal,
        models=sorted({run.model for run in site_of(request).world.store.runs(repository=repository.key, limit=50)}),
    )


def _fragments(request: Request, repository: Repository, seen: Change) -> dict[str, str]:
    """The parts of the page that change while it is open."""
    site = site_of(request)
    runs = site.world.store.runs(repository=repository.key, number=seen.number, limit=RUNS_SHOWN)
    deployments = site.world.store.deployments(repository=repository.key, number=seen.number, limit=DEPLOYMENTS_READ)
    values = {
        **common(request),
        "repository": repository,
        "change": seen,
        "change_state": of_change(seen.state),
        "checks": check_lines(site.actions.checks(repository.key, seen.head_sha)),
        "lines": run_lines(runs, site.world),
        "rows": [deployment_row(line) for line in seen_lines(shown_deployments(deployments), site.world)],
        "empty": "None yet. `/deploy staging` asks for one.",
        "posts": _posts(site, repository.key, seen),
    }
    names = {
        "head": "change_head",
        "checks": "checks",
        "runs": "change_runs",
        "deployments": "deployments",
        "timeline": "timeline",
    }
    return {name: site.renderer.page(f"parts/{file}.html", **values) for name, file in names.items()}


def _posts(site: Site, repository: str, seen: Change) -> list[Post]:
    posts = site.actions.posts(repository, seen.number)
    report = site.actions.living_comment(repository, seen.number)
    if not report:
        return posts
    post = Post("report", repository, seen.number, "mlops-bot", report, True, seen.opened_at, seen.opened_at)
    return [post, *posts]


def _number(request: Request) -> int:
    number: int = request.path_params["number"]
    return number
