"""`mlops-bot versions`: the registered versions, and where each serves."""

from __future__ import annotations

import json
import os

import click

from bot.cli.asking import ask, repository_key
from bot.cli.tables import moment, numbers, show_table

COLUMNS = ("model", "version", "serves in", "metrics", "gates", "commit", "data", "by", "when (UTC)")


@click.command
@click.argument("repository", required=False)
@click.argument("model", required=False)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(repository: str | None, model: str | None, limit: int, as_json: bool) -> None:
    """List versions: of all models, of a REPOSITORY's, or of one MODEL.

    A good result becomes a version when it is deployed, or when it reaches the default branch. Each is a tag such as
    `churn@v1.2.0` in its repository: `mlops-bot reproduce churn@v1.2.0` trains it again from there.
    """
    from bot.settings import load_settings

    params = {"limit": limit, "repository": repository_key(repository) if repository else None, "model": model}
    given = {name: value for name, value in params.items() if value is not None}
    found = ask(load_settings(os.environ), "GET", "/api/v1/versions", params=given)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [
        (
            f"{one['repository']}\n{one['model']}",
            one["version"] or one["phase"],
            ", ".join(one["serves_in"]) or ("" if one["phase"] == "registered" else one["problem"] or one["phase"]),
            numbers(one["metrics"]),
            _gates(one["gates"], one["waived"]),
            one["commit"][:10],
            one["data"][:10],
            one["by"],
            moment(one["at"]),
        )
        for one in found
    ]
    show_table(COLUMNS, rows, empty="Nothing was registered yet. `/deploy staging` on a change registers its result.")


def _gates(gates: list[str], waived: list[str]) -> str:
    if not gates:
        return "none"
    return f"{len(gates) - len(waived)} of {len(gates)} met" + (f", {len(waived)} waived" if waived else "")
