"""`mlops-bot rebuild`: make the index of versions anew, from git."""

from __future__ import annotations

import json
import os
import sys

import click

from bot.cli.asking import ask
from bot.cli.tables import show_table


@click.command
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(as_json: bool) -> None:
    """Make the service's index of versions and assignments anew, from the tags of all watched repositories.

    Git is the record, the database an index of it: after a database was lost, or tags were changed by hand, this says
    what git holds. What serves follows by itself. Ends with 1 when a repository could not be read.
    """
    from bot.settings import load_settings

    found = ask(load_settings(os.environ), "POST", "/api/v1/rebuild")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        rows = [
            (
                one["repository"],
                "" if one["problem"] else str(one["versions"]),
                "" if one["problem"] else str(one["assignments"]),
                one["problem"] or "\n".join(one["unreadable"]),
            )
            for one in found
        ]
        columns = ("repository", "versions", "assignments", "what can not be read")
        show_table(columns, rows, empty="No repository is watched yet.")
    sys.exit(1 if any(one["problem"] for one in found) else 0)
