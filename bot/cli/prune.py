"""`mlops-bot prune`: remove what nobody needs any more."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import click

from bot.cli.asking import ask
from bot.cli.tables import plain_cell, show_table

if TYPE_CHECKING:
    from bot.settings import Settings


@click.command
@click.option("--older-than", metavar="AGE", help="90d, 12h: instead of the ages that the server's policy names.")
@click.option("--yes", is_flag=True, help="Do it; without, it is only said what would be done.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(older_than: str | None, yes: bool, as_json: bool) -> None:
    """Remove what old runs left in the artifact store, and what lies unused on the service's machine.

    Never the files of a registered version, nor of a run that is active, deployed or on its way, compared with, or
    shown by a newer run. A repository whose tags can not be read keeps everything. What runs gave is still told: their
    metrics and reports are in the database.
    """
    from bot.settings import load_settings

    age_s = _age_s(older_than) if older_than is not None else None
    found = _all_turns(load_settings(os.environ), age_s, yes)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    rows = [(line["what"], f"{line['count']:,}", _size(line["size_bytes"])) for line in found["lines"] if line["count"]]
    show_table(("what", "how many", "how much"), rows, empty="There is nothing that could be removed.")
    for repository, problem in found["stopped"].items():
        click.echo(plain_cell(f"{repository} keeps everything: {problem}"), err=True)
    if found["unknown"]:
        click.echo(
            f"{found['unknown']:,} runs in the artifact store are not of this database; they are left.", err=True
        )
    if rows:
        again = f"mlops-bot prune{f' --older-than {older_than}' if older_than else ''} --yes"
        click.echo("All that was removed." if yes else f"Nothing was removed. To do it: {again}")


def _age_s(text: str) -> int:
    from bot.domain.errors import UserError
    from bot.domain.retention import parse_age

    age = parse_age(text)
    if age is None:
        raise UserError(f"`{text}` is no age.", "Write days or hours: `--older-than 90d`.")
    return int(age.total_seconds())


def _all_turns(settings: Settings, age_s: int | None, yes: bool) -> dict[str, Any]:
    lines: dict[str, dict[str, Any]] = {}
    stopped: dict[str, str] = {}
    unknown, after = 0, ""
    while True:
        sent = {"older_than_s": age_s, "yes": yes, "after": after}
        turn = ask(settings, "POST", "/api/v1/prune", json=sent)
        for line in turn["lines"]:
            total = lines.setdefault(line["what"], {"what": line["what"], "count": 0, "size_bytes": 0})
            total["count"] += line["count"]
            total["size_bytes"] += line["size_bytes"]
        stopped |= turn["stopped"]
        unknown += turn["unknown"]
        after = turn["after"]
        if not after:
            return {"removed": yes, "lines": [*lines.values()], "stopped": stopped, "unknown": unknown, "after": ""}


def _size(size_bytes: int) -> str:
    from pipelines.steps.quantities import size

    return size(size_bytes)
