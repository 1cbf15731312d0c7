"""`mlops-bot ledger`: who did what, when, to what."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from bot.cli.asking import ask_lines, repository_key
from bot.cli.tables import moment, show_table

COLUMNS = ("when (UTC)", "who", "what", "of", "facts")
LONG = ("digest", "commit", "tagged", "thing")  # of which the beginning tells enough


@click.command
@click.option("--repository", help="Only of this one.")
@click.option("--model", help="Only of this one.")
@click.option("--environment", help="Only of this one.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The newest so many.")
@click.option("--jsonl", is_flag=True, help="All of it as JSON lines, the oldest first.")
@click.option("--since", type=click.IntRange(min=0), help="With --jsonl: only what has a higher `seq`.")
def command(
    repository: str | None, model: str | None, environment: str | None, limit: int, jsonl: bool, since: int | None
) -> None:
    """Show the ledger: requests, approvals, registrations, deployments, and what was changed by hand.

    Entries are added and never changed. The table shows the newest at its end; --jsonl writes all for other programs.
    """
    from bot.settings import load_settings

    if since is not None and not jsonl:
        raise click.UsageError("--since is for --jsonl.")
    key = repository_key(repository) if repository else None
    about = {"repository": key, "model": model, "environment": environment}
    given: dict[str, Any] = {name: value for name, value in about.items() if value}
    given |= {"since": since or 0} if jsonl else {"newest": limit}
    lines = ask_lines(load_settings(os.environ), "/api/v1/ledger", params=given)
    if jsonl:
        for line in lines:
            click.echo(line)
        return
    show_table(COLUMNS, [_row(json.loads(line)) for line in lines], empty="Nothing was recorded yet.")


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    facts = [f"{name}={value[:19] if name in LONG else value}" for name, value in sorted(entry["details"].items())]
    return (
        moment(entry["at"]),
        entry["actor"],
        entry["action"].replace("_", " "),
        f"{entry['repository']}\n{entry['subject']}",
        " ".join(facts),
    )
