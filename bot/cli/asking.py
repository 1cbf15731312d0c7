"""Asking the running service: at the address that it published, with the access token of the same home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bot.settings import Settings

TIMEOUT_S = 60.0  # a doctor asks forges over a network
NO_CHANGE = ("There is no such repository or change.", "The service's pages list them.")


def ask(settings: Settings, method: str, path: str, *, missing: tuple[str, str] = NO_CHANGE, **sent: Any) -> Any:
    """The service's answer, read from JSON. `missing` are problem and fix of a 404; `sent` is as httpx takes it.

    Raises UserError when nothing answers there or it is refused, TransientError for what may pass.
    """
    with _answer(settings, method, path, missing, **sent) as answer:
        content = answer.read()
        return answer.json() if content else None


def ask_lines(settings: Settings, path: str, **sent: Any) -> Iterator[str]:
    """The lines of a long answer, as they come. Raises as `ask` does."""
    with _answer(settings, "GET", path, NO_CHANGE, **sent) as answer:
        yield from answer.iter_lines()


@contextmanager
def _answer(settings: Settings, method: str, path: str, missing: tuple[str, str], **sent: Any) -> Iterator[Any]:
    import httpx

    from bot.domain.errors import TransientError, UserError
    from bot.settings import published_address

    address = published_address(settings.home) or settings.local_url
    headers = {"authorization": f"Bearer {settings.access_token}"}
    try:
        # loopback: a proxy of the environment must not get the token
        with (
            httpx.Client(trust_env=False, timeout=TIMEOUT_S) as client,
            client.stream(method, f"{address}{path}", headers=headers, **sent) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise _refusal(address, answer, missing)
            yield answer
    except httpx.ConnectError as error:
        raise UserError(
            f"Nothing answers at {address}: the service is not running.", "Start it: mlops-bot serve"
        ) from error
    except httpx.HTTPError as error:
        raise TransientError(f"The service at {address} did not answer: {error}.") from error


def is_running(settings: Settings) -> bool:
    """Whether a service of this home answers."""
    import httpx

    from bot.settings import published_address

    address = published_address(settings.home)
    if address is None:
        return False
    try:
        with httpx.Client(trust_env=False, timeout=TIMEOUT_S) as client:
            return client.get(f"{address}/healthz").is_success
    except httpx.HTTPError:
        return False


def repository_key(name: str) -> str:
    """With `plain/` before a name that has no forge."""
    return name if "/" in name else f"plain/{name}"


def _words(answer: Any) -> dict[str, str]:
    try:
        words = answer.json()
    except ValueError:
        return {}
    return {name: str(value) for name, value in words.items()} if isinstance(words, dict) else {}


def _refusal(address: str, answer: Any, missing: tuple[str, str]) -> Exception:
    from bot.domain.errors import TransientError, UserError

    status, words = answer.status_code, _words(answer)
    if status >= 500:
        return TransientError(f"The service at {address} answered {status}. Its log tells why.")
    if status == 404:
        return UserError(*missing)
    if status == 401:
        return UserError(
            "The service does not accept this access token.", "Is MLOPS_BOT_HOME the same as the service's?"
        )
    return UserError(words.get("error", f"The service refused it ({status})."), words.get("fix", ""))
