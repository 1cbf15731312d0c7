"""`mlops-bot comment`: write on a change from the terminal."""

from __future__ import annotations

import os
import sys
from urllib.parse import quote

import click

from bot.cli.asking import ask, repository_key


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
    key = repository_key(repository)
    body = sys.stdin.read() if text == "-" else text
    message = {"body": body, "author": author} if author else {"body": body}
    place = f"/api/v1/repositories/{quote(key)}/changes/{change}/comments"
    ask(settings, "POST", place, json=message)
    click.echo(f"Written on change {change} of {key}: {Links(reachable_address(settings)).change(key, change)}")
