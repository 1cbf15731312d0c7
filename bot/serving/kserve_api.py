"""Kubernetes' API, as far as serving needs it: plain JSON, a time limit on each call, tokens that rotate."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from bot.domain.errors import TransientError, UserError
from bot.domain.masking import mask
from bot.serving.kserve_settings import ClusterAccess

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0
RETRY_LOGIN_S = 30.0  # tokens rotate each hour; until somebody mends them, asking more often helps nobody
RETRY_AFTER_LIMIT_S = 300.0
MESSAGE_CHARACTERS = 500
PAGE = 250
FIELD_MANAGER = "mlops-bot"
# kubernetes.io, "Server-Side Apply": the media type of YAML, of which JSON is a part, is taken by every version
APPLY = "application/apply-patch+yaml"


class Conflict(UserError):
    """Somebody else has changed fields that are the bot's."""


class KubernetesApi:
    """Thread-safe."""

    def __init__(self, access: ClusterAccess, *, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        self._access = access
        self._client = httpx.Client(
            base_url=access.url,
            timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
            verify=ssl.create_default_context(cafile=access.ca_file) if access.ca_file else True,
        )

    def get(self, path: str) -> dict[str, Any] | None:
        """None when there is none. Raises TransientError, UserError where the bot may not look."""
        return self._ask("GET", path)

    def list(self, path: str, *, selector: str) -> Iterator[dict[str, Any]]:
        query = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            page = self._ask("GET", path, query=query) or {}
            yield from page.get("items") or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def apply(self, path: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Makes or changes what the bot says of an object, and takes back what it said before and says no more. Raises
        Conflict, UserError for what the cluster refuses. Fields that the cluster does not know are refused too."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        content = json.dumps(manifest).encode()
        return self._ask("PATCH", path, query=query, content=content, content_type=APPLY) or {}

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def close(self) -> None:
        self._client.close()

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        content_type: str = "application/json",
    ) -> dict[str, Any] | None:
        headers = {"Accept": "application/json", "Content-Type": content_type, **self._authorization()}
        try:
            answer = self._client.request(method, path, params=query, content=content, headers=headers)
        except httpx.TransportError as error:
            words = mask(str(error)[:MESSAGE_CHARACTERS]) or type(error).__name__
            raise TransientError(f"Kubernetes can not be reached: {words}.") from error
        return _read(answer, f"{method} {path}")

    def _authorization(self) -> dict[str, str]:
        path = self._access.token_file
        return {} if path is None else {"Authorization": f"Bearer {_token(path)}"}


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        problem = f"The bot's token for Kubernetes can not be read: {path}: {reason}."
        raise TransientError(problem, retry_after_s=RETRY_LOGIN_S) from error


def _read(answer: httpx.Response, what: str) -> dict[str, Any] | None:
    status = answer.status_code
    if status == 404:
        return None
    if status == 401 or answer.is_redirect:
        raise TransientError(f"Kubernetes does not take the bot's token ({status}).", retry_after_s=RETRY_LOGIN_S)
    if status == 403:
        raise UserError(
            f"Kubernetes does not let the bot do this: {_message(answer)}",
            "Give it the role of deploy/kustomize/serving-access in the namespace where models serve.",
        )
    if status == 409:
        raise Conflict(
            f"Somebody else has changed what the bot applies: {_message(answer)}",
            "Take the change back, or apply with `--force-conflicts` and `--field-manager=mlops-bot` what shall be so.",
        )
    if status == 429 or status >= 500:
        raise TransientError(f"Kubernetes answered {status}: {_message(answer)}", retry_after_s=_wait_s(answer))
    if status >= 400:
        raise UserError(f"Kubernetes refuses it: {_message(answer)}", "Tell whoever runs the cluster.")
    try:
        document = json.loads(answer.content)
    except ValueError as error:
        raise TransientError(f"Kubernetes did not answer {what} with JSON; is its address right?") from error
    return document if isinstance(document, dict) else {}


def _message(answer: httpx.Response) -> str:
    try:
        text = str(json.loads(answer.content).get("message") or "")
    except (ValueError, AttributeError):
        text = answer.text
    return mask(" ".join(text.split())[:MESSAGE_CHARACTERS]) or answer.reason_phrase


def _wait_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), RETRY_AFTER_LIMIT_S) if text.isascii() and text.isdigit() else 5.0
