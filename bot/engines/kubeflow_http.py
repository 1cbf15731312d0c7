"""JSON over HTTP to a server of the cluster: tokens that rotate, a time limit on each call, three kinds of trouble."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bot.domain.errors import TransientError
from bot.domain.masking import mask

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0
MESSAGE_CHARACTERS = 300
RETRY_AFTER_LIMIT_S = 300.0
RETRY_LOGIN_S = 30.0  # tokens rotate each hour; until somebody mends them, asking more often helps nobody


class Refused(Exception):
    """The server understood, and said no; asking again in the same way gives the same answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Unanswered(TransientError):
    """What was asked for may have been done all the same."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a server. The files are read for each call, since what is in them rotates."""

    url: str
    token_file: Path | None = None
    cookie_file: Path | None = None
    ca_file: Path | None = None


class Connection:
    """`whose` names the server in what people read. Thread-safe."""

    def __init__(self, access: Access, *, whose: str, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        self._access = access
        self._whose = whose
        self._client = httpx.Client(
            base_url=access.url,
            timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
            verify=ssl.create_default_context(cafile=access.ca_file) if access.ca_file else True,
        )

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        upload: bytes | None = None,
    ) -> dict[str, Any]:
        """Raises Refused, TransientError, and Unanswered where the server may have done it."""
        files = None if upload is None else {"uploadfile": ("pipeline.yaml", upload, "application/yaml")}
        try:
            answer = self._client.request(
                method,
                path,
                params={name: value for name, value in (query or {}).items() if value != ""},
                json=body,
                files=files,
                headers=self._headers(),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TransientError(f"{self._whose} can not be reached: {_words(error)}.") from error
        except httpx.TransportError as error:
            raise Unanswered(f"{self._whose} did not answer: {_words(error)}.") from error
        return self._read(answer)

    def close(self) -> None:
        self._client.close()

    def _headers(self) -> dict[str, str]:
        headers = {}
        if self._access.token_file is not None:
            headers["Authorization"] = f"Bearer {self._file(self._access.token_file)}"
        if self._access.cookie_file is not None:
            headers["Cookie"] = self._file(self._access.cookie_file)
        return headers

    def _file(self, path: Path) -> str:
        try:
            content = path.read_text(encoding="ascii").strip()
            trouble = "" if content.isprintable() else "it has more than one line"
        except (OSError, UnicodeDecodeError) as error:
            content, trouble = "", str(error.strerror) if isinstance(error, OSError) else "it is not ASCII"
        if trouble:
            problem = f"The bot's access to {self._whose} can not be read: {path}: {trouble}."
            raise TransientError(problem, retry_after_s=RETRY_LOGIN_S)
        return content

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        status = answer.status_code
        if status in (401, 403) or answer.is_redirect:
            what = "asks for a login" if answer.is_redirect else f"refuses the bot's token ({status})"
            words = "" if answer.is_redirect else _message(answer)
            raise TransientError(f"{self._whose} {what}{': ' if words else '.'}{words}", retry_after_s=RETRY_LOGIN_S)
        if status >= 500:
            raise Unanswered(
                f"{self._whose} answered {status}: {_message(answer)}", retry_after_s=_retry_after_s(answer)
            )
        if status == 429:
            raise TransientError(f"{self._whose} is asked too often.", retry_after_s=_retry_after_s(answer))
        if status >= 400:
            raise Refused(status, _message(answer))
        try:
            document = json.loads(answer.content or b"{}")
        except ValueError as error:
            raise Unanswered(f"{self._whose} did not answer with JSON; is its address right?") from error
        return document if isinstance(document, dict) else {}


def _message(answer: httpx.Response) -> str:
    """What the server says of it, as far as it says something."""
    try:
        document = json.loads(answer.content)
        text = str(document.get("message") or document.get("error") or "")
    except (ValueError, AttributeError):
        text = answer.text
    return mask(" ".join(text.split())[:MESSAGE_CHARACTERS]) or answer.reason_phrase


def _retry_after_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), RETRY_AFTER_LIMIT_S) if text.isascii() and text.isdigit() else 5.0


def _words(error: httpx.TransportError) -> str:
    return mask(str(error)[:MESSAGE_CHARACTERS]) or type(error).__name__
