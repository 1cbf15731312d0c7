"""`mlops-bot comment`: write on a change from the terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

if TYPE_CHECKING:
    from bot.settings import Settings

TIMEOUT_S = 15.0


@click.command
@click.argument("repository")
@click.argument("change", type=click.IntRange(min=1))
@click.argument("text")
@click.option("--author", default="", help="Under which name; by default the one that the pages use.")
def command(repository: str, change: int, text: str, author: str) -> None:
    """Write TEXT, such as "/train n_estimators=400", on a CHANGE of a REPOSITORY.

    REPOSITORY is the name that the pages show, with or without `plain/`. A TEXT of `-` is read from standard input.
    """
    from bot.domain.links import Links
    from bot.settings import load_settings, reachable_address

    settings = load_settings(os.environ)
    key = repository if "/" in repository else f"plain/{repository}"
    body = sys.stdin.read() if text == "-" else text
    _post(settings, f"/api/v1/repositories/{quote(key)}/changes/{change}/comments", {"body": body, "author": author})
    click.echo(f"Written on change {change} of {key}: {Links(reachable_address(settings)).change(key, change)}")


def _post(settings: Settings, path: str, message: dict[str, str]) -> None:
    import httpx

    from bot.domain.errors import TransientError, UserError
    from bot.settings import published_address

    address = published_address(settings.home) or settings.local_url
    given = {name: value for name, value in message.items() if value}
    headers = {"authorization": f"Bearer {settings.access_token}"}
    try:
        # loopback: a proxy of the environment must not get the token
        with httpx.Client(trust_env=False, timeout=TIMEOUT_S) as client:
            answer = client.post(f"{address}{path}", json=given, headers=headers)
    except httpx.ConnectError as error:
        raise UserError(
            f"Nothing answers at {address}: the service is not running.", "Start it: mlops-bot serve"
        ) from error
    except httpx.HTTPError as error:
        raise TransientError(f"The service at {address} did not answer: {error}.") from error
    if answer.is_success:
        return
    if answer.status_code >= 500:
        raise TransientError(f"The service at {address} answered {answer.status_code}. Its log tells why.")
    raise _refusal(answer.status_code, _words(answer))


def _words(answer: Any) -> dict[str, str]:
    try:
        words = answer.json()
    except ValueError:
        return {}
    return {name: str(value) for name, value in words.items()} if isinstance(words, dict) else {}


def _refusal(status: int, words: dict[str, str]) -> Exception:
    from bot.domain.errors import UserError

    if status == 404:
        return UserError("There is no such repository or change.", "The service's pages list them.")
    if status == 401:
        return UserError(
            "The service does not accept this access token.", "Is MLOPS_BOT_HOME the same as the service's?"
        )
    return UserError(words.get("error", f"The service refused it ({status})."), words.get("fix", ""))
