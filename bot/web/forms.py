"""Forms of our pages: read within a limit, and only with the session's token."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request

from bot.web.body import read_body
from bot.web.site import site_of, visitor_of

# far above any comment that is taken, so that one that is too long gets an answer in words
FORM_LIMIT_BYTES = 4 * 1024 * 1024
COMMENT_FIELD = "body"


class WrongForm(Exception):
    """The form was not made for this session."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields. Raises WrongForm, or TooLarge."""
    raw = await read_body(request.receive, limit_bytes=FORM_LIMIT_BYTES)
    fields = parse_qs(raw.decode("utf-8", errors="replace"), keep_blank_values=True, max_num_fields=20)
    return {name: values[0] for name, values in fields.items()}


async def read_own_form(request: Request) -> dict[str, str]:
    """As `read_form`, for one who is signed in: with the token that stands in each of our forms."""
    fields = await read_form(request)
    visitor = visitor_of(request)
    given = fields.get("form_token", "")
    if not visitor.by_bearer and not site_of(request).sessions.is_form_token(visitor.session, given):
        raise WrongForm
    return fields
