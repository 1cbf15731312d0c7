"""A page as an answer, and the pages for what went wrong."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from bot.domain.change import Repository
from bot.domain.errors import UserError
from bot.web.site import site_of, visitor_of

WORDS = {
    403: ("Not allowed", "This form is not from your session. Go back, load the page again, and repeat it."),
    404: ("Nothing here", "There is no such page. It may have been removed, or the address is mistyped."),
    405: ("Not this way", "This address does not take such a request."),
    413: ("Too much", "What you sent is too long."),
    503: ("One moment", "The bot can not reach its database right now. Try again in a few seconds."),
    500: ("That was our mistake", "Something broke in mlops-bot. It is in its log, and it is not your fault."),
}


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(site_of(request).renderer.page(template, **common(request), **values), status)


def common(request: Request) -> dict[str, Any]:
    """What every page and fragment with a form needs."""
    site, visitor = site_of(request), visitor_of(request)
    return {"form_token": site.sessions.form_token(visitor.session), "user": site.user}


def repository_or_404(request: Request) -> Repository:
    repository = site_of(request).world.store.repository(request.path_params["key"])
    if repository is None:
        raise HTTPException(404)
    return repository


def on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_answer(request, error.status_code, dict(error.headers or {}))


def on_user_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, UserError)
    if _is_for_programs(request):
        return JSONResponse({"error": error.problem, "fix": error.fix}, 409)
    words = f"{error.problem} {error.fix}"
    html = site_of(request).renderer.page("error.html", title="That is not possible", words=words, status=409)
    return HTMLResponse(html, 409)


def error_answer(request: Request, status: int, headers: dict[str, str] | None = None) -> Response:
    title, words = WORDS.get(status, ("That did not work", "The request was refused."))
    if _is_for_programs(request):
        return JSONResponse({"error": words}, status, headers)
    html = site_of(request).renderer.page("error.html", title=title, words=words, status=status)
    return HTMLResponse(html, status, headers)


def _is_for_programs(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/webhooks/", "/callbacks/", "/serve/"))
