"""`mlops-bot watch`: let the service watch a bare repository that lies outside of its folder."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", default="", help="Its name on the pages; by default that of its folder.")
def command(path: Path, name: str) -> None:
    """Let the service watch the bare git repository at PATH, from now on.

    Its post-receive hook will tell the service of pushes; a hook that is there already keeps working. Repositories in
    `<home>/repositories` are watched without this.
    """
    from bot.domain.errors import UserError
    from bot.domain.links import Links
    from bot.forges.plain import folder, notify
    from bot.forges.plain.hook import Hooks
    from bot.settings import load_settings, published_address, reachable_address

    settings = load_settings(os.environ)
    chosen = folder.watch(settings.home / "repositories", path, name=name)
    key = folder.key_of(chosen)
    click.echo(f"Watching {key}.")
    try:
        Hooks(settings.home, settings.hook_secret).install(path.resolve(), key)
    except UserError as error:
        click.echo(f"{error.problem} Pushes are found too, but only every few minutes.", err=True)
    if published_address(settings.home) and notify.send(settings.home, key, [], pauses_s=()):
        click.echo(f"The service looks at it now: {Links(reachable_address(settings)).repository(key)}")
    else:
        click.echo("The service is not running; it will look at it when it starts: mlops-bot serve")
