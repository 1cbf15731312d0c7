"""Who may speak: GitHub by its signature, the bot by a token that is made for one repository and one purpose."""

from __future__ import annotations

import hmac
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from bot.domain.clock import Clock
from bot.domain.errors import TransientError, UserError
from bot.forges.github.errors import Refused
from bot.forges.github.fields import integer, moment, text
from bot.ports.forge import BadSignature

Permissions = Mapping[str, str]

# what each purpose needs, and no more
TALK: Permissions = {"checks": "write", "issues": "write", "metadata": "read", "pull_requests": "write"}
READ_CODE: Permissions = {"contents": "read", "metadata": "read"}
LIST: Permissions = {"metadata": "read"}
REPORT: Permissions = {**TALK, **READ_CODE}
SHOW_DEPLOYMENTS: Permissions = {"deployments": "write", "metadata": "read"}
PUSH_CODE: Permissions = {"contents": "write", "metadata": "read"}
SEE_TEAMS: Permissions = {"members": "read"}  # of the organization
ALL: Permissions = {**REPORT, **SHOW_DEPLOYMENTS, **PUSH_CODE, **SEE_TEAMS}

JWT_VALID_S = 540  # GitHub takes 10 minutes at the most
# a token that is handed out must last for a clone
_RENEW_BEFORE = timedelta(minutes=10)
_RENEW_JWT_BEFORE = timedelta(minutes=2)


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, "sha256").hexdigest()


def check_signature(secrets: Iterable[str], body: bytes, given: str) -> None:
    """Constant-time, whichever secret it is. Raises BadSignature."""
    given_bytes = given.encode("utf-8", "replace")
    matches = [hmac.compare_digest(signature(secret, body).encode(), given_bytes) for secret in secrets if secret]
    if not any(matches):
        raise BadSignature


@dataclass(frozen=True, slots=True)
class Token:
    """`account` is whose rate limit it uses."""

    value: str = field(repr=False)
    account: str


class Authority(Protocol):
    def token(self, full_name: str, permissions: Permissions) -> Token:
        """A token for this repository alone, where that is possible."""

    def of_organization(self, name: str, permissions: Permissions) -> Token:
        """For what is about an organization. Raises UserError where the bot has no business."""

    def own(self) -> Token:
        """For what is about no repository."""

    def renew(self, token: Token) -> bool:
        """Forget a token that GitHub does not take; whether there may be a better one."""


class OneToken:
    """A person's token. It is for the configured `repositories` alone, though GitHub might take it for others."""

    def __init__(self, value: str, repositories: Iterable[str]) -> None:
        self._token = Token(value, "user")
        self._names = frozenset(name.casefold() for name in repositories)
        self._owners = frozenset(name.partition("/")[0] for name in self._names)

    def token(self, full_name: str, permissions: Permissions) -> Token:  # noqa: ARG002 - it is what it is
        if full_name.casefold() not in self._names:
            raise UserError(
                f"The bot's GitHub token is not for {full_name}.", "Add it to MLOPS_BOT_GITHUB_REPOSITORIES."
            )
        return self._token

    def of_organization(self, name: str, permissions: Permissions) -> Token:  # noqa: ARG002 - it is what it is
        if name.casefold() not in self._owners:
            raise UserError(f"The bot's GitHub token is for no repository of {name}.")
        return self._token

    def own(self) -> Token:
        return self._token

    def renew(self, token: Token) -> bool:  # noqa: ARG002 - there is no other
        return False


Call = Callable[..., Any]  # `Client.call`


class AppAuthority:
    """A GitHub App. `call` is `Client.call`; installations are told by webhooks, and asked for otherwise."""

    def __init__(self, app_id: int, private_key: str, call: Call, clock: Clock) -> None:
        self._app_id = app_id
        self._private_key = private_key
        self._call = call
        self._clock = clock
        self._installations: dict[str, int] = {}
        self._tokens: dict[tuple[str, str], tuple[Token, datetime]] = {}
        self._jwt: tuple[Token, datetime] | None = None
        self._locks: defaultdict[object, threading.Lock] = defaultdict(threading.Lock)

    def remember(self, full_name: str, installation: int) -> None:
        self._installations[full_name] = installation

    def forget(self) -> None:
        """Installations and what they may do have changed."""
        self._installations.clear()
        self._tokens.clear()

    def own(self) -> Token:
        """The App itself, which may do nothing but make tokens and look at its own settings."""
        now = self._clock()
        if self._jwt is None or self._jwt[1] <= now:
            from bot.forges.github.transport import app_jwt

            try:
                value = app_jwt(self._app_id, self._private_key, valid_s=JWT_VALID_S)
            except Exception:  # noqa: BLE001 - whatever a cryptography library says of a broken key
                raise UserError(
                    "The GitHub App's private key is not a key in PEM format.",
                    "Download a new one from the App's page, and name it in MLOPS_BOT_GITHUB_PRIVATE_KEY_FILE.",
                ) from None
            self._jwt = Token(value, "app"), now + timedelta(seconds=JWT_VALID_S) - _RENEW_JWT_BEFORE
        return self._jwt[0]

    def token(self, full_name: str, permissions: Permissions) -> Token:
        wanted = {"repositories": [full_name.partition("/")[2]], "permissions": dict(permissions)}
        return self._kept(full_name, permissions, lambda: self._made(f"/repos/{full_name}", full_name, wanted))

    def of_organization(self, name: str, permissions: Permissions) -> Token:
        wanted = {"permissions": dict(permissions)}
        return self._kept(name, permissions, lambda: self._made(f"/orgs/{name}", name, wanted))

    def of_installation(self, installation: int) -> Token:
        """For listing an installation's repositories, and nothing else."""
        wanted = {"permissions": dict(LIST)}
        return self._kept(str(installation), LIST, lambda: self._mint(installation, wanted))

    def renew(self, token: Token) -> bool:
        self._tokens = {place: known for place, known in self._tokens.items() if known[0] != token}
        return True

    def _kept(self, whose: str, permissions: Permissions, make: Callable[[], tuple[Token, datetime]]) -> Token:
        place = whose, _written(permissions)
        with self._locks[place]:
            known = self._tokens.get(place)
            if known is None or known[1] <= self._clock():
                known = self._tokens[place] = make()
            return known[0]

    def _made(self, path: str, name: str, wanted: Mapping[str, Any]) -> tuple[Token, datetime]:
        was_known = name in self._installations
        try:
            return self._mint(self._installation(path, name), wanted)
        except Refused as error:
            self._installations.pop(name, None)
            if error.status == 404 and was_known:  # it was installed anew
                return self._mint(self._installation(path, name), wanted)
            if error.status == 422:
                raise _lacking(name, wanted["permissions"], error) from error
            raise

    def _mint(self, installation: int, wanted: Mapping[str, Any]) -> tuple[Token, datetime]:
        path = f"/app/installations/{installation}/access_tokens"
        answer = self._call("token", "POST", path, token=self.own(), body=wanted)
        value, expires_at = text(answer.data or {}, "token"), moment(answer.data or {}, "expires_at")
        if not value or expires_at is None:
            raise TransientError("GitHub gave no token.")
        return Token(value, f"installation:{installation}"), expires_at - _RENEW_BEFORE

    def _installation(self, path: str, name: str) -> int:
        known = self._installations.get(name)
        if known is None:
            try:
                answer = self._call("installation", "GET", f"{path}/installation", token=self.own())
            except Refused as error:
                if error.status != 404:
                    raise
                raise UserError(
                    f"The GitHub App is not installed on {name}.", "Install it from the App's public page."
                ) from error
            known = self._installations[name] = integer(answer.data or {}, "id")
        return known


def _written(permissions: Permissions) -> str:
    return ",".join(f"{name}={level}" for name, level in sorted(permissions.items()))


def _lacking(name: str, permissions: Permissions, error: Refused) -> UserError:
    needed = ", ".join(f"`{name}: {level}`" for name, level in sorted(permissions.items()))
    return UserError(
        f"The GitHub App's installation on {name} does not grant what is needed ({error.reason}).",
        f"Needed are {needed}: set them in the App's settings, and accept them where it is installed.",
    )
