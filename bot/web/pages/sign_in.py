"""Signing in with the access token, for those who do not have the address that `mlops-bot serve` prints."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bot.web.access import sign_in_page, signed_in
from bot.web.forms import read_form
from bot.web.site import site_of


async def sign_in(request: Request) -> Response:
    site = site_of(request)
    fields = await read_form(request)
    if not site.sessions.opens(fields.get("token", "").strip()):
        return sign_in_page(site, wrong_token=True)
    return signed_in(site, RedirectResponse("/", 303))
