"""Calls to GitLab's API: counted, with a deadline, and with errors in our own words."""

from __future__ import annotations

import importlib.util
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from bot.domain.clock import Clock
from bot.domain.errors import TransientError, UserError
from bot.forges.gitlab import errors
from bot.forges.gitlab.fields import mapping, mappings, text
from bot.forges.gitlab.settings import GitLabSettings

if TYPE_CHECKING:
    import gitlab

T = TypeVar("T")

PER_PAGE = 100  # the most that GitLab gives
# below this part of the quota only what is final is sent
LOW_QUOTA = 0.1


class Client:
    """One connection for each thread. `calls` counts the requests made so far, by the kind of thing they are about."""

    def __init__(self, settings: GitLabSettings, clock: Clock) -> None:
        if importlib.util.find_spec("gitlab") is None:
            raise UserError("python-gitlab is not installed.", "Install it: `pip install 'mlops-bot[gitlab]'`.")
        self._settings = settings
        self._clock = clock
        self._threads = threading.local()
        self._lock = threading.Lock()
        self._silent_until: datetime | None = None
        self._low_until: datetime | None = None
        self.calls: Counter[str] = Counter()

    def call(self, kind: str, ask: Callable[[gitlab.Gitlab], T]) -> T:
        """Raises TransientError, and Refused (a UserError) with GitLab's reason."""
        from bot.forges.gitlab import transport

        now = self._clock()
        if self._silent_until is not None and now < self._silent_until:
            wait_s = (self._silent_until - now).total_seconds()
            raise TransientError("GitLab limits how often it may be asked.", retry_after_s=wait_s)
        self._threads.kind = kind
        self._threads.headers = {}
        try:
            return ask(self._connection())
        except transport.FAILURES as error:
            explained = self._explained(error)
        raise explained  # outside of the handler, so that what python-gitlab says of the call is not shown with it

    def graphql(self, kind: str, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Raises as `call` does; an error in the answer, too, is an error."""
        from bot.forges.gitlab import transport

        answer: Any = self.call(kind, lambda server: transport.graphql(server, query, variables))
        fields = answer if isinstance(answer, dict) else {}
        problems = [text(error, "message") for error in mappings(fields, "errors")]
        if problems:
            raise errors.from_status(422, "; ".join(problems[:3]), {}, now=self._clock(), token=self._settings.token)
        return mapping(fields, "data")

    @property
    def low_until(self) -> datetime | None:
        """While little is left of the quota: when it is renewed."""
        return self._low_until if self._low_until is not None and self._clock() < self._low_until else None

    @property
    def has_little_quota(self) -> bool:
        return self.low_until is not None

    def _connection(self) -> gitlab.Gitlab:
        from bot.forges.gitlab import transport

        known: gitlab.Gitlab | None = getattr(self._threads, "connection", None)
        if known is None:
            known = self._threads.connection = transport.connect(
                self._settings.url, self._settings.token, on_request=self._count, on_answer=self._note_quota
            )
        return known

    def _explained(self, error: Exception) -> Exception:
        from bot.forges.gitlab import transport

        status = transport.status_of(error)
        if not status:
            return errors.unanswered(transport.what(error))
        explained = errors.from_status(
            status,
            transport.reason_of(error),
            self._threads.headers,
            now=self._clock(),
            token=self._settings.token,
        )
        if status == 429 and isinstance(explained, TransientError):
            self._silent_until = self._clock() + timedelta(seconds=explained.retry_after_s)
        return explained

    def _count(self) -> None:
        with self._lock:
            self.calls[self._threads.kind] += 1

    def _note_quota(self, headers: Mapping[str, str]) -> None:
        self._threads.headers = headers
        values = [headers.get(f"ratelimit-{name}", "") for name in ("limit", "remaining", "reset")]
        if not all(value.isascii() and value.isdigit() and len(value) < 12 for value in values):
            return
        limit, remaining, reset = (int(value) for value in values)
        is_low = remaining < limit * LOW_QUOTA
        wait_s = min(max(reset - self._clock().timestamp(), 0.0), errors.LONGEST_RETRY_AFTER_S)
        self._low_until = self._clock() + timedelta(seconds=wait_s) if is_low else None
