"""python-gitlab, made safe. Loaded late: it takes a third of a second to import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gitlab
import requests
from gitlab.exceptions import GitlabError, GitlabParsingError, RedirectError

from bot.forges.gitlab.client import PER_PAGE

TIMEOUT_S = 10.0
USER_AGENT = "mlops-bot"
# the token travels in this header, which requests, unlike `Authorization`, would take along to another host
_TOKEN_HEADER = "PRIVATE-TOKEN"  # noqa: S105 - the name of a header, not a token

FAILURES = (GitlabError, requests.RequestException)


class _Session(requests.Session):
    """Tells of each request that was made, and keeps the token at the host that it was given for."""

    def __init__(self, on_request: Callable[[], None], on_answer: Callable[[Mapping[str, str]], None]) -> None:
        super().__init__()
        self.max_redirects = 3
        self._on_request = on_request
        self._on_answer = on_answer

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        self._on_request()
        answer = super().send(request, **options)
        self._on_answer({name.lower(): value for name, value in answer.headers.items()})
        return answer

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]  # its stubs lack it
        old, new = str(response.request.url), str(prepared_request.url)
        if self.should_strip_auth(old, new):  # type: ignore[no-untyped-call]  # its stubs lack it
            prepared_request.headers.pop(_TOKEN_HEADER, None)


class _Server(gitlab.Gitlab):
    @property
    def graphql_url(self) -> str:
        return f"{self.api_url.removesuffix('/api/v4')}/api/graphql"

    def http_request(self, verb: str, path: str, *arguments: Any, **options: Any) -> requests.Response:
        """Never sleeps on a 429, and asks no other address than ours: links to next pages come from the answers."""
        is_address = path.startswith(("http://", "https://"))
        if is_address and not path.startswith(f"{self.api_url}/") and path != self.graphql_url:
            raise GitlabParsingError("a link leads elsewhere")
        options.setdefault("obey_rate_limit", False)
        return super().http_request(verb, path, *arguments, **options)


def connect(
    url: str, token: str, *, on_request: Callable[[], None], on_answer: Callable[[Mapping[str, str]], None]
) -> gitlab.Gitlab:
    """Makes no call. Nothing is repeated by itself: not even a POST that may have happened."""
    return _Server(
        url,
        private_token=token,
        timeout=TIMEOUT_S,
        per_page=PER_PAGE,
        retry_transient_errors=False,
        keep_base_url=True,  # behind a proxy GitLab may name itself otherwise in its links
        user_agent=USER_AGENT,
        session=_Session(on_request, on_answer),
    )


def graphql(server: gitlab.Gitlab, query: str, variables: Mapping[str, Any]) -> Any:
    assert isinstance(server, _Server)
    return server.http_post(server.graphql_url, post_data={"query": query, "variables": dict(variables)})


def status_of(error: Exception) -> int:
    """0 when there was no answer, or none that could be read."""
    return (error.response_code or 0) if isinstance(error, GitlabError) else 0


def reason_of(error: Exception) -> str:
    return str(error.error_message) if isinstance(error, GitlabError) else ""


def what(error: Exception) -> str:
    """Why there was no answer, without the address, which may hold what is secret."""
    if isinstance(error, requests.Timeout):
        return f"it did not answer within {TIMEOUT_S:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted (REQUESTS_CA_BUNDLE names a file with your own authority's)"
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "the connection failed"
    if isinstance(error, RedirectError):
        return "it redirects to another address, which MLOPS_BOT_GITLAB_URL should name"
    if isinstance(error, GitlabParsingError):
        return "it answered with something that is not JSON"
    return type(error).__name__
