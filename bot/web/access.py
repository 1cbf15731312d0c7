"""Who gets in, and what browsers may do with our answers. Webhooks, callbacks and predictions look after themselves."""

from __future__ import annotations

from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.domain.signature import is_plot_signed
from bot.web.hosts import UNKNOWN_HOST, comes_from_elsewhere, is_known_host, known_hosts
from bot.web.session import SESSION_LASTS, Visitor
from bot.web.site import Site

SIGNED_BY_SENDER = "/callbacks/"  # they verify each request themselves; webhooks and predictions do not even come here
OPEN = ("/static/", "/login")
OPEN_TO_PROBES = ("/healthz", "/readyz")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
FOR_PROGRAMS = ("/api/", "/metrics")

# A strict cookie is not sent when another site's link leads here. A page that loads itself again is ours, and gets it.
BOUNCE = '<!doctype html><meta http-equiv="refresh" content="0"><title>mlops-bot</title><p>One moment …</p>'


class Access:
    def __init__(self, app: ASGIApp, *, site: Site) -> None:
        self._app = app
        self._site = site
        self._hosts = known_hosts(site.settings)
        self._headers = security_headers(site.settings.base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(SIGNED_BY_SENDER):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        visitor = self._visitor(headers)
        scope.setdefault("state", {})["visitor"] = visitor
        refusal = self._refusal(scope, headers, visitor)
        await (refusal or self._app)(scope, receive, self._with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers, visitor: Visitor) -> Response | None:
        """The answer to a request that may not pass as it is."""
        path: str = scope["path"]
        if path in OPEN_TO_PROBES:
            return None
        if not is_known_host(headers.get("host", ""), self._hosts):
            return _unknown_host()
        if scope["method"] not in SAFE_METHODS and not visitor.by_bearer and comes_from_elsewhere(headers):
            return JSONResponse({"error": "This request came from another site."}, 403)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["method"] == "GET" and "token" in query and not path.startswith(FOR_PROGRAMS):
            return self._enter(path, query)
        if visitor.is_signed_in or path.startswith(OPEN) or self._is_signed_plot(path, query):
            return None
        return self._ask_to_sign_in(path, headers)

    def _enter(self, path: str, query: dict[str, list[str]]) -> Response:
        if not self._site.sessions.opens(query["token"][0]):
            return sign_in_page(self._site, wrong_token=True)
        rest = {name: values for name, values in query.items() if name != "token"}
        # one slash, for `//host` would lead to another site
        target = "/" + path.lstrip("/") + (f"?{urlencode(rest, doseq=True)}" if rest else "")
        return signed_in(self._site, RedirectResponse(target, 303))

    def _ask_to_sign_in(self, path: str, headers: Headers) -> Response:
        if path.startswith(FOR_PROGRAMS):
            words = (
                "Send the access token as `Authorization: Bearer …`. It is in `access-token` in the bot's home folder."
            )
            return JSONResponse({"error": words}, 401, {"WWW-Authenticate": "Bearer"})
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") == "navigate":
            return HTMLResponse(BOUNCE, 401)
        return sign_in_page(self._site, wrong_token=False)

    def _visitor(self, headers: Headers) -> Visitor:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._site.sessions.opens(token.strip()):
            return Visitor(by_bearer=True)
        cookie = cookie_parser(headers.get("cookie", "")).get(cookie_name(self._site), "")
        return Visitor(session=self._site.sessions.session(cookie, now=self._site.world.clock()))

    def _is_signed_plot(self, path: str, query: dict[str, list[str]]) -> bool:
        run_id, _, plot = path.removeprefix("/runs/").partition("/plots/")
        if not path.startswith("/runs/") or not plot:
            return False
        return is_plot_signed(
            self._site.settings.callback_secret,
            run_id=run_id,
            path=plot,
            expires=query.get("expires", [""])[0],
            signature=query.get("signature", [""])[0],
            now=self._site.world.clock(),
        )

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        return send_with_headers


def cookie_name(site: Site) -> str:
    """Cookies do not tell ports apart, so that two bots on one machine need two names."""
    return f"mlops_bot_{site.settings.port}"


def sign_in_page(site: Site, *, wrong_token: bool) -> Response:
    """Where the token lies is said to those who can only be on this machine."""
    home = site.settings.home if site.settings.host in LOOPBACK else ""
    html = site.renderer.page("sign_in.html", wrong_token=wrong_token, home=home)
    return HTMLResponse(html, 403 if wrong_token else 401)


def signed_in(site: Site, response: Response) -> Response:
    response.set_cookie(
        cookie_name(site),
        site.sessions.new_cookie(now=site.world.clock()),
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=site.settings.base_url.startswith("https://"),
    )
    return response


def _unknown_host() -> Response:
    return Response(f"{UNKNOWN_HOST}\n", 400, media_type="text/plain")


def security_headers(base_url: str, *, forms_to: str = "") -> dict[str, str]:
    """`forms_to` is the one other origin that a form of the page may be sent to."""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        f"img-src 'self' {'/'.join(base_url.split('/', 3)[:3])}",
        "connect-src 'self'",
        f"form-action 'self' {forms_to}".strip(),
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        # not `no-referrer`: with it browsers send `Origin: null` with our own forms
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
