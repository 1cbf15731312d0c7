"""`mlops-bot connect`: let a project on a forge tell the service what happens in it."""

from __future__ import annotations

import os

import click


@click.command
@click.argument("forge", type=click.Choice(["gitlab"]))
@click.argument("project", metavar="GROUP/PROJECT")
def command(forge: str, project: str) -> None:  # noqa: ARG001 - there is one so far
    """Make the webhook in GROUP/PROJECT, or bring it up to date. Safe to repeat.

    The address of the service is MLOPS_BOT_PUBLIC_URL; the token is MLOPS_BOT_GITLAB_TOKEN, and its user needs the role
    Maintainer for this (Developer for everything else).
    """
    from datetime import UTC, datetime

    from bot.domain.errors import UserError
    from bot.forges.gitlab.client import Client
    from bot.forges.gitlab.hooks import connect_project
    from bot.forges.gitlab.settings import check_project_path
    from bot.forges.gitlab.user import OwnUser
    from bot.settings import load_settings

    settings = load_settings(os.environ).gitlab
    if settings is None:
        raise UserError("The GitLab token is missing.", "Set MLOPS_BOT_GITLAB_TOKEN, or MLOPS_BOT_GITLAB_TOKEN_FILE.")
    if not settings.public_url:
        raise UserError(
            "GitLab must know where the service is.",
            "Set MLOPS_BOT_PUBLIC_URL, for example `https://mlops.example.com`.",
        )
    path = project.removeprefix(f"{settings.url}/").strip("/").removesuffix(".git")
    check_project_path(path)
    client = Client(settings, lambda: datetime.now(UTC))
    user = OwnUser(client).username
    done = connect_project(client, path, url=settings.webhook_address, secret=settings.webhook_secrets[0])
    click.echo(f"{'Made' if done.is_new else 'Brought up to date'}: webhook {done.hook_id} in {settings.url}/{path}")
    click.echo(f"  address:  {settings.webhook_address}")
    click.echo("  triggers: push, comments and merge request events, with the secret token")
    click.echo(f"The bot comments as @{user}.")
    if done.doubles:
        click.echo(f"{done.doubles} more hooks have the same address; delete them in Settings > Webhooks.", err=True)
