"""`mlops-bot environments`: what serves where."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from bot.cli.asking import ask
from bot.cli.tables import moment, show_table

COLUMNS = ("environment", "model", "serves", "since (UTC)", "by", "servers", "on their way", "answers at")


@click.command
@click.argument("environment", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(environment: str | None, as_json: bool) -> None:
    """List what serves in each environment, or in one ENVIRONMENT.

    For each model: its version, since when, by whom, how its servers stand and share the requests, and which
    deployments are on their way there.
    """
    from bot.settings import load_settings

    params = {"environment": environment} if environment else {}
    found = ask(load_settings(os.environ), "GET", "/api/v1/environments", params=params)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [
        (
            one["environment"],
            f"{one['repository']}\n{one['model']}",
            one["version"] or "nothing yet",
            moment(one["since"]),
            one["by"],
            "\n".join(_server(server) for server in one["answering"]),
            "\n".join(f"{way['id']} {way['summary']}" for way in one["on_their_way"]),
            one["endpoint"],
        )
        for one in found
    ]
    show_table(COLUMNS, rows, empty="Nothing serves yet. `/deploy staging` on a change asks for it.")


def _server(server: dict[str, Any]) -> str:
    share = f"{server['percent']} %" if server["percent"] else "warm"
    restarts = f", {server['restarts']} restarts" if server["restarts"] else ""
    errors = f", {server['errors']} of {server['requests']} failed" if server["errors"] else ""
    p99 = f", p99 {server['p99_ms']:.3g} ms" if server["p99_ms"] is not None else ""
    return f"{server['version']} {share} {server['state']}{restarts}{errors}{p99}"
