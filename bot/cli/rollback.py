"""`mlops-bot rollback`: let the version serve again that served before."""

from __future__ import annotations

import os
import sys

import click

from bot.cli.asking import repository_key
from bot.cli.deploying import carry_out


@click.command
@click.argument("repository")
@click.argument("environment")
@click.argument("model", default="")
@click.argument("version", default="")
@click.option("--wait", "waits", is_flag=True, help="Until it is live, or has ended otherwise.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(repository: str, environment: str, model: str, version: str, waits: bool, as_json: bool) -> None:
    """Go back in ENVIRONMENT to the version that served before, or to a registered VERSION.

    MODEL may be left out where only one serves there. Nothing is trained and nobody has to approve; it is recorded as a
    new assignment.

    \b
    mlops-bot rollback models production
    mlops-bot rollback models production churn v1.1.0 --wait

    Exit codes: 0 accepted (with --wait: live), 1 it did not go live, 2 refused.
    """
    from bot.settings import load_settings

    wish = {
        "repository": repository_key(repository),
        "environment": environment,
        "model": model,
        "version": version,
    }
    sys.exit(carry_out(load_settings(os.environ), "/api/v1/rollbacks", wish, waits=waits, as_json=as_json))
