"""Making the GitHub App: a form that leads to GitHub, and the page that GitHub sends the browser back to."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bot.domain.errors import UserError
from bot.web.access import security_headers
from bot.web.pages.answers import page
from bot.web.site import Site, site_of, visitor_of

STATE_LASTS = timedelta(hours=1)  # as long as GitHub's code is good for
MOST_STATES = 100
PATH = "/setup/github"


class States:
    """Each is good once, for the session that it was made for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: OrderedDict[str, tuple[str, datetime]] = OrderedDict()

    def make(self, session: str, *, now: datetime) -> str:
        state = secrets.token_urlsafe(32)
        with self._lock:
            self._made[state] = (session, now + STATE_LASTS)
            while len(self._made) > MOST_STATES:
                self._made.popitem(last=False)
        return state

    def take(self, state: str, session: str, *, now: datetime) -> bool:
        with self._lock:
            made_for, ends_at = self._made.pop(state, ("", now))
        return bool(made_for) and made_for == session and now < ends_at


class GitHubPages:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._states = States()

    def respond(self, request: Request) -> Response:
        """Only for a browser that was let in by the access token: whoever holds the new key can act as the App."""
        if site_of(request).actions.begin_github is None:
            raise HTTPException(404)
        session = visitor_of(request).session
        if not session:
            raise HTTPException(403)
        if "code" in request.query_params or "state" in request.query_params:
            return self._finish(request, session)
        return self._begin(request, session)

    def _begin(self, request: Request, session: str) -> Response:
        actions, settings = self._site.actions, self._site.settings
        assert actions.begin_github is not None
        organization = request.query_params.get("organization", "").strip()
        state = self._states.make(session, now=self._site.world.clock())
        address, manifest = actions.begin_github(state, organization, self._own_address(request))
        answer = page(
            request,
            "setup_github.html",
            address=address,
            host=urlsplit(address).netloc,
            manifest=manifest,
            organization=organization,
            is_set_up=settings.github is not None,
        )
        # else the browser would not send this one form to GitHub
        parts = urlsplit(address)
        answer.headers.update(security_headers(settings.base_url, forms_to=f"{parts.scheme}://{parts.netloc}"))
        return answer

    def _finish(self, request: Request, session: str) -> Response:
        actions = self._site.actions
        assert actions.finish_github is not None
        state = request.query_params.get("state", "")
        if not self._states.take(state, session, now=self._site.world.clock()):
            raise UserError(
                "This answer of GitHub does not belong to a form of this session, or was used already.",
                f"Start again at {PATH}. If GitHub shows an App that you do not need, delete it there.",
            )
        variables, install_address = actions.finish_github(request.query_params.get("code", ""))
        return page(request, "setup_github_done.html", variables=variables, install_address=install_address)

    def _own_address(self, request: Request) -> str:
        """Where this browser finds us, for there it is signed in. A proxy may have taken TLS away on the way here."""
        host = request.headers.get("host", "")
        public_url = self._site.settings.public_url
        return f"{public_url if urlsplit(public_url).netloc == host else f'http://{host}'}{PATH}"
