"""`mlops-bot serve`: the service in one process."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (MLOPS_BOT_PORT; default 8321).")
@click.option("--host", help="Address to listen on (MLOPS_BOT_HOST; default 127.0.0.1: this machine alone).")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="Folder for all state (MLOPS_BOT_HOME).")
def command(port: int | None, host: str | None, home: Path | None) -> None:
    """Run the service: webhooks, pages, and the loop that converges runs.

    Bare git repositories in `<home>/repositories` are watched, and those given to `mlops-bot watch`. The printed
    address carries an access token, as Jupyter's does, unless the token was given: who gave it has it, and a
    container's output is kept by many.
    """
    given = {"MLOPS_BOT_PORT": port, "MLOPS_BOT_HOST": host, "MLOPS_BOT_HOME": home}
    environ = {**os.environ, **{name: str(value) for name, value in given.items() if value is not None}}

    from bot.service import Service
    from bot.settings import load_settings

    service = Service(load_settings(environ))
    with service.running():
        is_given = any(environ.get(f"MLOPS_BOT_ACCESS_TOKEN{suffix}") for suffix in ("", "_FILE"))
        click.echo(f"mlops-bot is at {service.settings.base_url if is_given else service.access_address}")
        click.echo(f"state is kept in {service.settings.home}; stop with Ctrl-C")
        service.wait()
    click.echo("mlops-bot has stopped; what was running goes on, and is found again at the next start")
