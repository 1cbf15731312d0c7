"""Asking for a deployment and, if wanted, waiting until it is live or has ended otherwise."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from bot.cli.asking import ask
from bot.cli.tables import plain_cell

if TYPE_CHECKING:
    from bot.settings import Settings

NOT_LIVE_EXIT = 1
LOOK_EVERY_S = 0.5


def carry_out(settings: Settings, path: str, wish: dict[str, str], *, waits: bool, as_json: bool) -> int:
    """Gives the exit code: 0 when it is accepted, or with `waits` when it is live."""
    given = {name: value for name, value in wish.items() if value}
    asked = ask(settings, "POST", path, json=given)
    if not as_json:
        what = asked["version"] or asked["sha"][:10]
        said = f"{asked['model']} {what} to {asked['environment']} as {asked['id']}: {asked['summary']}"
        click.echo(plain_cell(said))
        click.echo(f"  {asked['page']}")
    ended = _follow(settings, asked) if waits else asked
    if as_json:
        click.echo(json.dumps(ended, indent=2))
    elif waits:
        click.echo(plain_cell(_outcome(ended)))
    return NOT_LIVE_EXIT if waits and ended["phase"] not in ("live", "replaced") else 0


def _follow(settings: Settings, asked: dict[str, Any]) -> dict[str, Any]:
    from rich.console import Console
    from rich.markup import escape

    seen = asked
    with Console(stderr=True).status(escape(seen["summary"])) as status:
        while seen["is_active"]:
            time.sleep(LOOK_EVERY_S)
            seen = ask(settings, "GET", f"/api/v1/deployments/{asked['id']}")
            status.update(escape(seen["summary"]))
    return seen


def _outcome(ended: dict[str, Any]) -> str:
    if ended["phase"] == "live":
        return f"{ended['model']} {ended['version']} is live: {ended['endpoint']}"
    return f"{ended['summary']}. {ended['words']}".strip()
