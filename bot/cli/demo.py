"""`mlops-bot demo`: the whole loop on two sample repositories."""

from __future__ import annotations

import os
import sys

import click


@click.command
@click.option("--exit", "leave", is_flag=True, help="Do not stay: print the comment as Markdown and exit.")
@click.option("--reset", is_flag=True, help="Forget what an earlier demo made, and start anew.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default 8321; 0 picks a free one).")
def command(leave: bool, reset: bool, port: int | None) -> None:
    """Show the whole loop on two sample repositories.

    Makes a dataset repository (DVC) and a model repository (two models), pushes a first commit and then a change, and
    shows what mlops-bot answers. With --exit the code is 0 only if everything came out as designed.
    """
    environ = {**os.environ, **({} if port is None else {"MLOPS_BOT_PORT": str(port)})}

    from bot.demo.story import tell
    from bot.settings import load_settings

    sys.exit(tell(load_settings(environ), stay=not leave, reset=reset))
