"""`mlops-bot deploy`: let a model serve, without a change to say it on."""

from __future__ import annotations

import os
import sys

import click

from bot.cli.asking import repository_key
from bot.cli.deploying import carry_out


@click.command
@click.argument("repository")
@click.argument("model")
@click.argument("environment")
@click.option("--version", "version", default="", metavar="VERSION", help="A registered one, such as v1.2.0.")
@click.option("--wait", "waits", is_flag=True, help="Until it is live, or has ended otherwise.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(repository: str, model: str, environment: str, version: str, waits: bool, as_json: bool) -> None:
    """Deploy MODEL of REPOSITORY to ENVIRONMENT: what its default branch holds, or a registered --version.

    \b
    mlops-bot deploy models churn staging --wait
    mlops-bot deploy models churn staging --version v1.2.0

    An environment that needs approvals is asked for on a change, where they are given: `/deploy production`.
    Exit codes: 0 accepted (with --wait: live), 1 it did not go live, 2 refused.
    """
    from bot.settings import load_settings

    wish = {
        "repository": repository_key(repository),
        "model": model,
        "environment": environment,
        "version": version,
    }
    sys.exit(carry_out(load_settings(os.environ), "/api/v1/deployments", wish, waits=waits, as_json=as_json))
