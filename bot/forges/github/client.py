"""Calls to GitHub's API: counted, with a deadline, within its limits, and with errors in our own words."""

from __future__ import annotations

import importlib.util
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from bot.domain.clock import Clock
from bot.domain.errors import UserError
from bot.forges.github import errors
from bot.forges.github.auth import TALK, AppAuthority, Authority, OneToken, Permissions, Token
from bot.forges.github.fields import mapping, mappings, text
from bot.forges.github.settings import GitHubSettings

if TYPE_CHECKING:
    from bot.forges.github.transport import Transport

T = TypeVar("T")

PER_PAGE = 100  # the most that GitHub gives
MOST_PAGES = 300
# below this part of the quota only what is final is sent
LOW_QUOTA = 0.1
REMEMBERED_ANSWERS = 2000
_NEXT = re.compile(r'<([^<>]+)>;[^,]*rel="next"')
_UNCHANGED = 304


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` is JSON; None where there is none. `next` is the address of the next page."""

    status: int
    headers: Mapping[str, str]
    data: Any

    @property
    def next(self) -> str | None:
        found = _NEXT.search(self.headers.get("link", ""))
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class _Remembered:
    etag: str
    value: Any
    next: str | None


class Client:
    """`calls` counts the requests made so far, by the kind of thing they are about; what had not changed since it was
    last asked for costs no quota, and is counted as `unchanged`."""

    def __init__(self, settings: GitHubSettings, clock: Clock) -> None:
        if importlib.util.find_spec("github") is None:
            raise UserError("PyGithub is not installed.", "Install it: `pip install 'mlops-bot[github]'`.")
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._silent_until: dict[tuple[str, str], datetime] = {}
        self._low_until: dict[str, datetime] = {}
        self._remembered: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()
        self.calls: Counter[str] = Counter()
        self.app = AppAuthority(settings.app_id, settings.private_key, self.call, clock) if settings.is_app else None
        self.authority: Authority = self.app or OneToken(settings.token, settings.repositories)

    def ask(
        self,
        whose: str | Token,
        kind: str,
        verb: str,
        path: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        body: object = None,
        etag: str = "",
        permissions: Permissions = TALK,
    ) -> Answer:
        """`whose` is a repository's full name or an organization, which get a token of their own with `permissions`, or
        another token. Raises TransientError (Uncertain when it may have been carried out) and Refused."""

        def once() -> tuple[Token, Answer | errors.Refused]:
            token = self._token(whose, permissions)
            try:
                return token, self.call(kind, verb, path, token=token, parameters=parameters, body=body, etag=etag)
            except errors.Refused as error:
                return token, error

        token, answer = once()
        may_be_old = isinstance(answer, errors.Refused) and answer.status == 401 and not isinstance(whose, Token)
        if may_be_old and self.authority.renew(token):
            _, answer = once()  # nothing was carried out: a token may be revoked before its time
        if isinstance(answer, errors.Refused):
            raise answer
        return answer

    def pages(
        self, whose: str | Token, kind: str, path: str, parameters: Mapping[str, Any], read: Callable[[Any], T]
    ) -> Iterator[T]:
        """What `read` makes of each page's JSON. A page that has not changed costs no quota."""
        url: str | None = path
        query: Mapping[str, Any] = {**parameters, "per_page": PER_PAGE}
        for _ in range(MOST_PAGES):
            if url is None:
                return
            page = self._page(whose, kind, url, query, read)
            yield page.value
            url, query = page.next, {}

    def unless_changed(self, whose: str | Token, kind: str, path: str, read: Callable[[Any], T]) -> T:
        """What `read` makes of one answer."""
        value: T = self._page(whose, kind, path, {}, read).value
        return value

    def graphql(self, full_name: str, kind: str, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises as `ask` does; an error in the answer, too, is an error."""
        body = {"query": query, "variables": dict(variables)}
        answer = self.ask(full_name, kind, "POST", "/graphql", body=body)
        data = answer.data if isinstance(answer.data, dict) else {}
        for error in mappings(data, "errors"):
            kinds = {"NOT_FOUND": 404, "FORBIDDEN": 403, "RATE_LIMITED": 429}
            status = kinds.get(text(error, "type"), 422)
            raise self._explained(status, error, answer.headers, ("", "graphql"), "")
        return mapping(data, "data")

    def low_until(self, full_name: str) -> datetime | None:
        """While little is left of the quota: when it is renewed."""
        until = self._low_until.get(self.authority.token(full_name, TALK).account)
        return until if until is not None and self._clock() < until else None

    def has_little_quota(self, full_name: str) -> bool:
        return self.low_until(full_name) is not None

    def call(
        self,
        kind: str,
        verb: str,
        path: str,
        *,
        token: Token,
        parameters: Mapping[str, Any] | None = None,
        body: object = None,
        etag: str = "",
    ) -> Answer:
        from bot.forges.github import transport

        resource = token.account, "graphql" if path == "/graphql" else "core"
        self._respect_silence(resource)
        failure: errors.Uncertain | None = None
        try:
            status, headers, data = self._connected().send(
                verb, path, token=token.value, parameters=parameters or {}, body=body, etag=etag
            )
        except transport.FAILURES as error:
            failure = errors.Uncertain(f"GitHub could not be asked: {transport.what(error)}.", retry_after_s=10.0)
        if failure is not None:
            self._count(kind)
            raise failure  # outside of the handler, so that what is said of the call is not shown with it
        self._count("unchanged" if status == _UNCHANGED else kind)
        self._note_quota(token.account, headers)
        if status >= 300 and status != _UNCHANGED:
            raise self._explained(status, data, headers, resource, token.value)
        return Answer(status, headers, data)

    def _token(self, whose: str | Token, permissions: Permissions) -> Token:
        if isinstance(whose, Token):
            return whose
        make = self.authority.token if "/" in whose else self.authority.of_organization
        return make(whose, permissions)

    def _page(
        self, whose: str | Token, kind: str, url: str, query: Mapping[str, Any], read: Callable[[Any], T]
    ) -> _Remembered:
        account = whose.account if isinstance(whose, Token) else whose
        place = account, f"{kind} {url}?{sorted(query.items())}"
        known = self._remembered.get(place)
        answer = self.ask(whose, kind, "GET", url, parameters=query, etag=known.etag if known else "")
        if known is not None and answer.status == _UNCHANGED:
            return known
        page = _Remembered(answer.headers.get("etag", ""), read(answer.data), answer.next)
        if page.etag:
            with self._lock:
                self._remembered[place] = page
                self._remembered.move_to_end(place)
                while len(self._remembered) > REMEMBERED_ANSWERS:
                    self._remembered.popitem(last=False)
        return page

    def _connected(self) -> Transport:
        with self._lock:
            if self._transport is None:
                from bot.forges.github.transport import Transport

                self._transport = Transport(self._settings.api_url)
            return self._transport

    def _count(self, kind: str) -> None:
        with self._lock:
            self.calls[kind] += 1

    def _respect_silence(self, resource: tuple[str, str]) -> None:
        until, now = self._silent_until.get(resource), self._clock()
        if until is not None and now < until:
            wait_s = (until - now).total_seconds()
            raise errors.Limited("GitHub limits how often it may be asked.", retry_after_s=wait_s)

    def _explained(
        self, status: int, data: object, headers: Mapping[str, str], resource: tuple[str, str], token: str
    ) -> Exception:
        secrets = tuple(filter(None, (token, self._settings.token, self._settings.private_key)))
        explained = errors.from_status(status, data, headers, now=self._clock(), secrets=secrets)
        if isinstance(explained, errors.Limited) and resource[0]:
            self._silent_until[resource] = self._clock() + timedelta(seconds=explained.retry_after_s)
        return explained

    def _note_quota(self, account: str, headers: Mapping[str, str]) -> None:
        values = [headers.get(f"x-ratelimit-{name}", "") for name in ("limit", "remaining", "reset")]
        is_core = headers.get("x-ratelimit-resource", "core") == "core"
        if not is_core or not all(value.isascii() and value.isdigit() and len(value) < 12 for value in values):
            return
        limit, remaining, reset = (int(value) for value in values)
        wait_s = min(max(reset - self._clock().timestamp(), 0.0), errors.LONGEST_RETRY_AFTER_S)
        if remaining < limit * LOW_QUOTA:
            self._low_until[account] = self._clock() + timedelta(seconds=wait_s)
        else:
            self._low_until.pop(account, None)
