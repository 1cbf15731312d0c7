"""Clone addresses: which are let through, and what of them may be shown."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from bot.domain.errors import UserError
from bot.domain.masking import mask
from bot.domain.words import quoted

_FIX = "Write an `https://…` or `ssh://…` address."
# user@host:path, git's short form of ssh
_SHORT_SSH = re.compile(r"[A-Za-z0-9_.-]+@[A-Za-z0-9][A-Za-z0-9.-]*:[^-/:][^:]*")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Address:
    """`url` has no credentials in it, because arguments of processes can be read by everybody on the machine;
    `authorization` is the header that carries them instead, "" for none. `local_path` is set for a folder."""

    url: str
    authorization: str = ""
    local_path: Path | None = None

    @property
    def shown(self) -> str:
        return quoted(mask(self.url), limit=200)


def parse_address(text: str, *, allow_local: bool, http_origins: Collection[str] = ()) -> Address:
    """`http_origins` are the configured hosts that have no TLS, such as `http://gitlab.internal:8080`.

    Raises UserError for every address that git might take for an option, a helper program, or a foreign protocol.
    """
    if not text or text.startswith("-") or not text.isprintable():
        raise UserError(f"{quoted(mask(text))} is not the address of a git repository.", _FIX)
    if text.startswith(("/", "file:")):
        return _local(text, allow_local=allow_local)
    if _SHORT_SSH.fullmatch(text):
        return Address(text)
    parts = _split(text)
    is_configured = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" in http_origins
    if (parts.scheme not in ("https", "ssh") and not is_configured) or not _HOST.fullmatch(_host(parts)):
        raise UserError(f"{quoted(mask(text), limit=200)} can not be fetched from.", _FIX)
    return _remote(parts)


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is not a number
    except ValueError as error:
        raise UserError(f"{quoted(mask(text), limit=200)} is not an address: {error}.", _FIX) from error
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    return re.sub(r":\d*$", "", host)


def _remote(parts: SplitResult) -> Address:
    user_info, _, host = parts.netloc.rpartition("@")
    if parts.scheme == "ssh":
        user = user_info.partition(":")[0]  # ssh takes no password from an address
        if user.startswith("-"):
            raise UserError(f"{quoted(user)} is not a user's name.", _FIX)
        return Address(parts._replace(netloc=f"{user}@{host}" if user else host).geturl())
    url = parts._replace(netloc=host).geturl()
    if not user_info:
        return Address(url)
    user, _, password = user_info.partition(":")
    return Address(url, authorization=basic_authorization(unquote(user), unquote(password)))


def basic_authorization(username: str, password: str) -> str:
    return f"Authorization: Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


def origin_of(url: str) -> str:
    """`https://host[:port]` of an address without credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _local(text: str, *, allow_local: bool) -> Address:
    if not allow_local:
        raise UserError(
            f"{quoted(text, limit=200)} is a folder of the bot's own machine, which it does not read.", _FIX
        )
    path = text
    if text.startswith("file:"):
        parts = _split(text)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise UserError(
                f"{quoted(text, limit=200)} is not a folder of this machine.", "Write `file:///path/to/it`."
            )
        path = unquote(parts.path)
    if "\0" in path:
        raise UserError(f"{quoted(text)} is not a folder.", _FIX)
    return Address(path, local_path=Path(path))
