"""Who is signed in: the access token opens a session, whose cookie is signed and never holds the token."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

SESSION_LASTS = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Visitor:
    """`session` is "" for one who is not signed in, or who sent the access token with the request (`by_bearer`)."""

    session: str = ""
    by_bearer: bool = False

    @property
    def is_signed_in(self) -> bool:
        return self.by_bearer or bool(self.session)


class Sessions:
    """A new access token ends all sessions, for it is the key that signs them."""

    def __init__(self, access_token: str) -> None:
        self._access_token = access_token

    def opens(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._access_token.encode())

    def new_cookie(self, *, now: datetime) -> str:
        payload = f"{secrets.token_hex(16)}.{int((now + SESSION_LASTS).timestamp())}"
        return f"{payload}.{self._sign('session', payload)}"

    def session(self, cookie: str, *, now: datetime) -> str:
        """The session that a cookie stands for; "" when it is not ours or has expired."""
        payload, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign("session", payload).encode()):
            return ""
        name, _, expires = payload.partition(".")
        return name if now.timestamp() < int(expires) else ""

    def form_token(self, session: str) -> str:
        """What each form of a session carries, so that another site's form is refused."""
        return self._sign("form", session)

    def is_form_token(self, session: str, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.form_token(session).encode())

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._access_token.encode(), f"{purpose}\n{text}".encode(), "sha256").hexdigest()
