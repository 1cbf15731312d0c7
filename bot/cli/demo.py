"""`mlops-bot demo`: the whole loop on two sample repositories."""

from __future__ import annotations

import os
import sys

import click


@click.command
@click.option("--exit", "leave", is_flag=True, help="Do not stay: play all to its end, print the comment, and exit.")
@click.option("--reset", is_flag=True, help="Forget what an earlier demo made, and start anew.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default 8321; 0 picks a free one).")
def command(leave: bool, reset: bool, port: int | None) -> None:
    """Show the whole loop on two sample repositories.

    Makes a dataset repository (DVC) and a model repository (two models), pushes a first commit and then a change, shows
    what mlops-bot answers, deploys a model to staging, and asks for production, which waits for your approval.

    With --exit it approves by itself, asks for a prediction, deploys a second version and rolls it back; the code is 0
    only if everything came out as designed. Model servers are ended when the demo ends.
    """
    environ = {**os.environ, **({} if port is None else {"MLOPS_BOT_PORT": str(port)})}

    from bot.demo.story import tell
    from bot.settings import load_settings

    sys.exit(tell(load_settings(environ), stay=not leave, reset=reset))
