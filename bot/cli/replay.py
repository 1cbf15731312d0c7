"""`mlops-bot replay`: let the service handle a stored webhook once more."""

from __future__ import annotations

import os
from urllib.parse import quote

import click

from bot.cli.asking import ask


@click.command
@click.argument("delivery")
def command(delivery: str) -> None:
    """Let the running service handle DELIVERY once more.

    DELIVERY is the id of a stored webhook: the forge shows it (GitHub as "X-GitHub-Delivery", GitLab as
    "Idempotency-Key"), and each line of the service's log has it as `delivery_id`. Handling one twice does no harm.
    """
    from bot.domain.links import Links
    from bot.settings import load_settings, reachable_address

    settings = load_settings(os.environ)
    missing = (
        f"There is no delivery {delivery}: it never came, or it is older than what is kept (7 days).",
        "The forge's list of webhook deliveries shows ids; the service's log has them as `delivery_id`.",
    )
    found = ask(settings, "POST", f"/api/v1/deliveries/{quote(delivery, safe='')}/replay", missing=missing)
    address = reachable_address(settings)
    where = Links(address).repository(found["repository"]) if found["repository"] else address
    click.echo(f"Handled once more: {found['event']} from {found['forge']}, received {found['received_at']}.")
    click.echo(f"  what comes of it: {where}")
    click.echo(f"  in the service's log: lines with delivery_id={found['id']}")
