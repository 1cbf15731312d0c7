"""PyGithub, made safe. Loaded late: it takes half a second to import."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

import requests
from github import Auth, Github
from github.Requester import Requester

TIMEOUT_S = 10
USER_AGENT = "mlops-bot"
API_VERSION = "2022-11-28"
# RuntimeError and AssertionError: a redirect to another place; ValueError: a header that is no number
FAILURES = (requests.RequestException, RuntimeError, AssertionError, ValueError)


class Transport:
    """Nothing is repeated by itself, nothing sleeps, and no call is made but those asked for: so its requester is used,
    and not its objects, which know neither conditional requests nor odd payloads.

    Each thread has a requester of its own: one keeps verb, address and headers, the token among them, on its connection
    between two steps of a call, where another thread's would take their place.
    """

    def __init__(self, api_url: str) -> None:
        # its debug lines hold whole answers, among them new tokens
        logging.getLogger("github.Requester").setLevel(logging.WARNING)
        self._api_url = api_url
        self._own = threading.local()

    @property
    def _requester(self) -> Requester:
        made: Requester | None = getattr(self._own, "requester", None)
        if made is None:
            made = self._own.requester = self._make_requester()
        return made

    def _make_requester(self) -> Requester:
        return Github(
            base_url=self._api_url,
            timeout=TIMEOUT_S,
            user_agent=USER_AGENT,
            per_page=100,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
            api_version=API_VERSION,
        ).requester

    def send(
        self, verb: str, path: str, *, token: str, parameters: Mapping[str, Any], body: object, etag: str
    ) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers in lower case, and the JSON; None where there is none. Raises one of FAILURES."""
        headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {token}"}
        if etag:
            headers["If-None-Match"] = etag
        requester = self._requester
        url = requester.graphql_url if path == "/graphql" else path
        status, answered, output = requester.requestJson(
            verb, url, parameters=dict(parameters), headers=headers, input=body
        )
        if status >= 500:
            return status, answered, None
        return status, answered, json.loads(output) if output else None


def what(error: Exception) -> str:
    """Why there was no answer, without the address, which may hold what is secret."""
    if isinstance(error, requests.Timeout):
        return f"it did not answer within {TIMEOUT_S} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted (REQUESTS_CA_BUNDLE names a file with your own authority's)"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "the connection failed"
    if isinstance(error, json.JSONDecodeError):
        return "it answered with something that is not JSON"
    if isinstance(error, RuntimeError | AssertionError):
        return "it redirects to another address, which MLOPS_BOT_GITHUB_API_URL should name"
    return type(error).__name__


def app_jwt(app_id: int, private_key: str, *, valid_s: int) -> str:
    """Raises ValueError or a jwt error for what is no private key."""
    return Auth.AppAuth(app_id, private_key).create_jwt(valid_s)
